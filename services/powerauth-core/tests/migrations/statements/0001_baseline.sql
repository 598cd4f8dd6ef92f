-- What the original, release 1.9, says to PostgreSQL on its main paths: rows are numbered by sequences that it asks
-- itself, every column of an entity is written, activations and operations are locked (spec/core-api.md §25 to §27, §30).
-- One statement a line.

SELECT nextval('pa_activation_history_seq')
SELECT nextval('pa_signature_audit_seq')
SELECT nextval('pa_app_callback_event_seq')
INSERT INTO pa_activation (activation_code, activation_name, activation_otp, activation_otp_validation, activation_status, application_id, blocked_reason, commit_phase, counter, ctr_data, device_info, device_public_key_base64, external_id, extras, failed_attempts, flags, master_keypair_id, max_failed_attempts, platform, protocol, server_private_key_base64, server_private_key_encryption, server_public_key_base64, timestamp_activation_expire, timestamp_created, timestamp_last_change, timestamp_last_used, user_id, version, activation_id) VALUES ($1::varchar, $2::varchar, $3::varchar, $4::integer, $5::integer, $6::integer, $7::varchar, $8::integer, $9::integer, $10::varchar, $11::varchar, $12::varchar, $13::varchar, $14::varchar, $15::integer, $16::varchar, $17::integer, $18::integer, $19::varchar, $20::varchar, $21::varchar, $22::integer, $23::varchar, $24::timestamp, $25::timestamp, $26::timestamp, $27::timestamp, $28::varchar, $29::integer, $30::varchar)
INSERT INTO pa_activation_history (activation_id, activation_name, activation_status, activation_version, event_reason, external_user_id, timestamp_created, id) VALUES ($1::varchar, $2::varchar, $3::integer, $4::integer, $5::varchar, $6::varchar, $7::timestamp, $8::bigint)
INSERT INTO pa_signature_audit (activation_counter, activation_ctr_data, activation_id, activation_status, additional_info, data_base64, note, signature, signature_data_body, signature_metadata, signature_type, signature_version, timestamp_created, valid, version, id) VALUES ($1::integer, $2::varchar, $3::varchar, $4::integer, $5::varchar, $6::text, $7::varchar, $8::varchar, $9::text, $10::text, $11::varchar, $12::varchar, $13::timestamp, $14::boolean, $15::integer, $16::bigint)
INSERT INTO pa_token (activation_id, signature_type, timestamp_created, token_secret, token_id) VALUES ($1::varchar, $2::varchar, $3::timestamp, $4::varchar, $5::varchar)
INSERT INTO pa_unique_value (timestamp_expires, type, unique_value) VALUES ($1::timestamp, $2::integer, $3::varchar)
INSERT INTO pa_temporary_key (activation_id, application_key, private_key_encryption, private_key_base64, public_key_base64, timestamp_expires, id) VALUES ($1::varchar, $2::varchar, $3::integer, $4::varchar, $5::varchar, $6::timestamp, $7::varchar)
INSERT INTO pa_integration (client_secret, client_token, name, id) VALUES ($1::varchar, $2::varchar, $3::varchar, $4::varchar)
INSERT INTO pa_application_config (application_id, config_key, config_values, encryption_mode, id) VALUES ($1::integer, $2::varchar, $3::text, $4::varchar, $5::integer)
INSERT INTO audit_log (audit_log_id, application_name, audit_level, audit_type, timestamp_created, message, exception_message, stack_trace, param, calling_class, thread_name, version, build_time) VALUES ($1::varchar, $2::varchar, $3::varchar, $4::varchar, $5::timestamp, $6::text, $7::text, $8::text, $9::text, $10::varchar, $11::varchar, $12::varchar, $13::timestamp)
INSERT INTO audit_param (audit_log_id, timestamp_created, param_key, param_value) VALUES ($1::varchar, $2::timestamp, $3::varchar, $4::varchar)
INSERT INTO shedlock (name, lock_until, locked_at, locked_by) VALUES ($1::varchar, $2::timestamp, $3::timestamp, $4::varchar) ON CONFLICT (name) DO UPDATE SET lock_until = $2::timestamp, locked_at = $3::timestamp, locked_by = $4::varchar WHERE shedlock.lock_until <= $3::timestamp
UPDATE pa_activation SET activation_status = $1::integer, blocked_reason = $2::varchar, counter = $3::integer, ctr_data = $4::varchar, failed_attempts = $5::integer, timestamp_last_change = $6::timestamp, timestamp_last_used = $7::timestamp WHERE activation_id = $8::varchar
UPDATE pa_operation SET additional_data = $1::text, failure_count = $2::bigint, status = $3::integer, status_reason = $4::varchar, timestamp_finalized = $5::timestamp, user_id = $6::varchar WHERE id = $7::varchar
UPDATE pa_application_callback_event SET attempts = $1::integer, status = $2::varchar, timestamp_delete_after = $3::timestamp, timestamp_last_call = $4::timestamp, timestamp_next_call = $5::timestamp, timestamp_rerun_after = $6::timestamp WHERE id = $7::bigint
DELETE FROM pa_unique_value WHERE timestamp_expires < $1::timestamp
DELETE FROM pa_temporary_key WHERE timestamp_expires < $1::timestamp
DELETE FROM audit_log WHERE timestamp_created < $1::timestamp
SELECT a.activation_id, a.ctr_data, a.server_private_key_base64, a.server_private_key_encryption FROM pa_activation a WHERE a.activation_id = $1::varchar FOR UPDATE
SELECT o.id, o.status FROM pa_operation o JOIN pa_operation_application x ON x.operation_id = o.id WHERE o.id = $1::varchar FOR UPDATE OF o
SELECT v.application_key, v.application_secret, v.supported, p.name FROM pa_application_version v JOIN pa_application p ON p.id = v.application_id WHERE v.application_key = $1::varchar
SELECT s.id, s.data_base64, s.signature FROM pa_signature_audit s JOIN pa_activation a ON a.activation_id = s.activation_id WHERE a.user_id = $1::varchar AND s.timestamp_created BETWEEN $2::timestamp AND $3::timestamp ORDER BY s.timestamp_created DESC, s.id DESC
