-- The schema of release 1.9 on PostgreSQL, written down from spec/core-api.md §25.

CREATE SEQUENCE pa_application_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_application_version_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_master_keypair_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_signature_audit_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_activation_history_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_recovery_code_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_recovery_puk_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_recovery_config_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_operation_template_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_app_conf_seq START 1 INCREMENT 1 CACHE 20;
CREATE SEQUENCE pa_app_callback_event_seq START 1 INCREMENT 50 CACHE 20;

CREATE TABLE pa_application (
    id INTEGER PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    roles VARCHAR(255)
);
CREATE UNIQUE INDEX pa_application_name ON pa_application (name);

CREATE TABLE pa_application_version (
    id INTEGER PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT version_application_fk REFERENCES pa_application (id),
    application_key VARCHAR(255),
    application_secret VARCHAR(255),
    name VARCHAR(255),
    supported BOOLEAN
);
CREATE INDEX pa_application_version_app ON pa_application_version (application_id);
CREATE UNIQUE INDEX pa_app_version_app_key ON pa_application_version (application_key);

CREATE TABLE pa_master_keypair (
    id INTEGER PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT keypair_application_fk REFERENCES pa_application (id),
    master_key_private_base64 VARCHAR(255) NOT NULL,
    master_key_public_base64 VARCHAR(255) NOT NULL,
    name VARCHAR(255),
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL
);
CREATE INDEX pa_master_keypair_application ON pa_master_keypair (application_id);

CREATE TABLE pa_activation (
    activation_id VARCHAR(37) PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT activation_application_fk REFERENCES pa_application (id),
    user_id VARCHAR(255) NOT NULL,
    activation_name VARCHAR(255),
    activation_code VARCHAR(255),
    activation_status INTEGER NOT NULL,
    activation_otp VARCHAR(255),
    activation_otp_validation INTEGER DEFAULT 0 NOT NULL,
    blocked_reason VARCHAR(255),
    counter INTEGER NOT NULL,
    ctr_data VARCHAR(255),
    device_public_key_base64 VARCHAR(255),
    extras VARCHAR(4000),
    platform VARCHAR(255),
    device_info VARCHAR(255),
    flags VARCHAR(255),
    failed_attempts INTEGER NOT NULL,
    max_failed_attempts INTEGER DEFAULT 5 NOT NULL,
    server_private_key_base64 VARCHAR(255) NOT NULL,
    server_private_key_encryption INTEGER DEFAULT 0 NOT NULL,
    server_public_key_base64 VARCHAR(255) NOT NULL,
    timestamp_activation_expire TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    timestamp_last_used TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    timestamp_last_change TIMESTAMP(6) WITHOUT TIME ZONE,
    master_keypair_id INTEGER CONSTRAINT activation_keypair_fk REFERENCES pa_master_keypair (id),
    version INTEGER DEFAULT 2,
    external_id VARCHAR(255),
    protocol VARCHAR(32) DEFAULT 'powerauth' NOT NULL,
    commit_phase INTEGER DEFAULT 0
);
CREATE INDEX pa_activation_application ON pa_activation (application_id);
CREATE INDEX pa_activation_keypair ON pa_activation (master_keypair_id);
CREATE INDEX pa_activation_code ON pa_activation (activation_code);
CREATE INDEX pa_activation_user_id ON pa_activation (user_id);
CREATE INDEX pa_activation_expiration ON pa_activation (activation_status, timestamp_activation_expire);

CREATE TABLE pa_activation_history (
    id BIGINT PRIMARY KEY,
    activation_id VARCHAR(37) NOT NULL
        CONSTRAINT history_activation_fk REFERENCES pa_activation (activation_id),
    activation_status INTEGER,
    event_reason VARCHAR(255),
    external_user_id VARCHAR(255),
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    activation_version INTEGER,
    activation_name VARCHAR(255)
);
CREATE INDEX pa_activation_history_act ON pa_activation_history (activation_id);
CREATE INDEX pa_activation_history_created ON pa_activation_history (timestamp_created);

CREATE TABLE pa_signature_audit (
    id BIGINT PRIMARY KEY,
    activation_id VARCHAR(37) NOT NULL CONSTRAINT audit_activation_fk REFERENCES pa_activation (activation_id),
    activation_counter INTEGER NOT NULL,
    activation_ctr_data VARCHAR(255),
    activation_status INTEGER,
    additional_info VARCHAR(255),
    data_base64 TEXT,
    note VARCHAR(255),
    signature_type VARCHAR(255) NOT NULL,
    signature VARCHAR(255) NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    valid BOOLEAN,
    version INTEGER DEFAULT 2,
    signature_version VARCHAR(255),
    signature_data_body TEXT,
    signature_metadata TEXT
);
CREATE INDEX pa_signature_audit_activation ON pa_signature_audit (activation_id);
CREATE INDEX pa_signature_audit_created ON pa_signature_audit (timestamp_created);

CREATE TABLE pa_token (
    token_id VARCHAR(37) PRIMARY KEY,
    token_secret VARCHAR(255) NOT NULL,
    activation_id VARCHAR(37) NOT NULL CONSTRAINT activation_token_fk REFERENCES pa_activation (activation_id),
    signature_type VARCHAR(255) NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL
);
CREATE INDEX pa_token_activation ON pa_token (activation_id);

CREATE TABLE pa_temporary_key (
    id VARCHAR(37) PRIMARY KEY,
    application_key VARCHAR(32) NOT NULL,
    activation_id VARCHAR(37)
        CONSTRAINT pa_temporary_activation_id_fk REFERENCES pa_activation (activation_id),
    private_key_encryption INTEGER DEFAULT 0 NOT NULL,
    private_key_base64 VARCHAR(255) NOT NULL,
    public_key_base64 VARCHAR(255) NOT NULL,
    timestamp_expires TIMESTAMP WITHOUT TIME ZONE NOT NULL
);
CREATE INDEX pa_temporary_key_ts_key_idx ON pa_temporary_key (timestamp_expires);

CREATE TABLE pa_unique_value (
    unique_value VARCHAR(255) PRIMARY KEY,
    type INTEGER NOT NULL,
    timestamp_expires TIMESTAMP WITHOUT TIME ZONE NOT NULL
);
CREATE INDEX pa_unique_value_expiration ON pa_unique_value (timestamp_expires);

CREATE TABLE pa_integration (
    id VARCHAR(37) PRIMARY KEY,
    name VARCHAR(255),
    client_token VARCHAR(37) NOT NULL,
    client_secret VARCHAR(37) NOT NULL
);
CREATE UNIQUE INDEX pa_integration_token ON pa_integration (client_token);

CREATE TABLE pa_application_config (
    id INTEGER PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT pa_app_config_app_fk REFERENCES pa_application (id),
    config_key VARCHAR(255) NOT NULL,
    config_values TEXT,
    encryption_mode VARCHAR(255) DEFAULT 'NO_ENCRYPTION' NOT NULL
);
CREATE INDEX pa_app_config_key_idx ON pa_application_config (config_key);

CREATE TABLE pa_application_callback (
    id VARCHAR(37) PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT callback_application_fk REFERENCES pa_application (id),
    name VARCHAR(255),
    callback_url VARCHAR(1024),
    type VARCHAR(64) DEFAULT 'ACTIVATION_STATUS_CHANGE' NOT NULL,
    attributes VARCHAR(1024),
    authentication TEXT,
    encryption_mode VARCHAR(255) DEFAULT 'NO_ENCRYPTION' NOT NULL,
    max_attempts INTEGER,
    initial_backoff VARCHAR(64),
    retention_period VARCHAR(64),
    enabled BOOLEAN DEFAULT TRUE NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE DEFAULT now() NOT NULL,
    timestamp_last_updated TIMESTAMP(6) WITHOUT TIME ZONE
);
CREATE INDEX pa_app_callback_app ON pa_application_callback (application_id);

CREATE TABLE pa_application_callback_event (
    id BIGINT PRIMARY KEY,
    application_callback_id VARCHAR(37) NOT NULL,
    callback_data TEXT NOT NULL,
    status VARCHAR(32) NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE DEFAULT now() NOT NULL,
    timestamp_last_call TIMESTAMP(6) WITHOUT TIME ZONE,
    timestamp_next_call TIMESTAMP(6) WITHOUT TIME ZONE,
    timestamp_delete_after TIMESTAMP(6) WITHOUT TIME ZONE,
    timestamp_rerun_after TIMESTAMP(6) WITHOUT TIME ZONE,
    attempts INTEGER DEFAULT 0 NOT NULL,
    idempotency_key VARCHAR(36) NOT NULL
);
CREATE INDEX pa_app_cb_event_status_idx ON pa_application_callback_event (status);
CREATE INDEX pa_app_cb_event_ts_del_idx ON pa_application_callback_event (timestamp_delete_after);

CREATE TABLE pa_operation (
    id VARCHAR(37) PRIMARY KEY,
    user_id VARCHAR(255),
    external_id VARCHAR(255),
    activation_flag VARCHAR(255),
    operation_type VARCHAR(255) NOT NULL,
    template_name VARCHAR(255),
    data TEXT NOT NULL,
    parameters TEXT,
    additional_data TEXT,
    status INTEGER NOT NULL,
    signature_type VARCHAR(255) NOT NULL,
    failure_count BIGINT DEFAULT 0 NOT NULL,
    max_failure_count BIGINT NOT NULL,
    timestamp_created TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    timestamp_expires TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    timestamp_finalized TIMESTAMP WITHOUT TIME ZONE,
    risk_flags VARCHAR(255),
    totp_seed VARCHAR(24),
    activation_id VARCHAR(37)
        CONSTRAINT pa_operation_activation_id_fk REFERENCES pa_activation (activation_id),
    status_reason VARCHAR(32)
);
CREATE INDEX pa_operation_user ON pa_operation (user_id);
CREATE INDEX pa_operation_ts_created_idx ON pa_operation (timestamp_created);
CREATE INDEX pa_operation_ts_expires_idx ON pa_operation (timestamp_expires);
CREATE INDEX pa_operation_status_exp ON pa_operation (status, timestamp_expires);

CREATE TABLE pa_operation_application (
    application_id BIGINT NOT NULL
        CONSTRAINT pa_operation_application_application_id_fk REFERENCES pa_application (id),
    operation_id VARCHAR(37) NOT NULL
        CONSTRAINT pa_operation_application_operation_id_fk REFERENCES pa_operation (id),
    PRIMARY KEY (application_id, operation_id)
);

CREATE TABLE pa_operation_template (
    id BIGINT PRIMARY KEY,
    template_name VARCHAR(255) NOT NULL CONSTRAINT pa_operation_template_template_name_uk UNIQUE,
    operation_type VARCHAR(255) NOT NULL,
    data_template VARCHAR(255) NOT NULL,
    signature_type VARCHAR(255) NOT NULL,
    max_failure_count BIGINT NOT NULL,
    expiration BIGINT NOT NULL,
    risk_flags VARCHAR(255),
    proximity_check_enabled BOOLEAN DEFAULT FALSE NOT NULL
);
CREATE INDEX pa_operation_template_name_idx ON pa_operation_template (template_name);

CREATE TABLE pa_recovery_code (
    id BIGINT PRIMARY KEY,
    recovery_code VARCHAR(23) NOT NULL,
    application_id INTEGER NOT NULL CONSTRAINT recovery_code_application_fk REFERENCES pa_application (id),
    user_id VARCHAR(255) NOT NULL,
    activation_id VARCHAR(37) CONSTRAINT recovery_code_activation_fk REFERENCES pa_activation (activation_id),
    status INTEGER NOT NULL,
    failed_attempts INTEGER DEFAULT 0 NOT NULL,
    max_failed_attempts INTEGER DEFAULT 10 NOT NULL,
    timestamp_created TIMESTAMP(6) WITHOUT TIME ZONE NOT NULL,
    timestamp_last_used TIMESTAMP(6) WITHOUT TIME ZONE,
    timestamp_last_change TIMESTAMP(6) WITHOUT TIME ZONE
);
CREATE INDEX pa_recovery_code_code ON pa_recovery_code (recovery_code);
CREATE INDEX pa_recovery_code_app ON pa_recovery_code (application_id);
CREATE INDEX pa_recovery_code_user ON pa_recovery_code (user_id);
CREATE INDEX pa_recovery_code_act ON pa_recovery_code (activation_id);

CREATE TABLE pa_recovery_puk (
    id BIGINT PRIMARY KEY,
    recovery_code_id BIGINT NOT NULL CONSTRAINT recovery_puk_code_fk REFERENCES pa_recovery_code (id),
    puk VARCHAR(255),
    puk_encryption INTEGER DEFAULT 0 NOT NULL,
    puk_index BIGINT NOT NULL,
    status INTEGER NOT NULL,
    timestamp_last_change TIMESTAMP(6) WITHOUT TIME ZONE
);
CREATE UNIQUE INDEX pa_recovery_code_puk ON pa_recovery_puk (recovery_code_id, puk_index);
CREATE INDEX pa_recovery_puk_code ON pa_recovery_puk (recovery_code_id);

CREATE TABLE pa_recovery_config (
    id INTEGER PRIMARY KEY,
    application_id INTEGER NOT NULL CONSTRAINT recovery_config_app_fk REFERENCES pa_application (id),
    activation_recovery_enabled BOOLEAN DEFAULT FALSE NOT NULL,
    recovery_postcard_enabled BOOLEAN DEFAULT FALSE NOT NULL,
    allow_multiple_recovery_codes BOOLEAN DEFAULT FALSE NOT NULL,
    postcard_private_key_base64 VARCHAR(255),
    postcard_public_key_base64 VARCHAR(255),
    remote_public_key_base64 VARCHAR(255),
    postcard_priv_key_encryption INTEGER DEFAULT 0 NOT NULL
);
CREATE UNIQUE INDEX pa_recovery_config_app ON pa_recovery_config (application_id);

CREATE TABLE pa_fido2_authenticator (
    aaguid VARCHAR(255) PRIMARY KEY,
    description VARCHAR(255) NOT NULL,
    signature_type VARCHAR(255) NOT NULL,
    transports VARCHAR(255)
);

CREATE TABLE shedlock (
    name VARCHAR(64) PRIMARY KEY,
    lock_until TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    locked_at TIMESTAMP WITHOUT TIME ZONE NOT NULL,
    locked_by VARCHAR(255) NOT NULL
);

CREATE TABLE audit_log (
    audit_log_id VARCHAR(36) PRIMARY KEY,
    application_name VARCHAR(256) NOT NULL,
    audit_level VARCHAR(32) NOT NULL,
    audit_type VARCHAR(256),
    timestamp_created TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
    message TEXT NOT NULL,
    exception_message TEXT,
    stack_trace TEXT,
    param TEXT,
    calling_class VARCHAR(256) NOT NULL,
    thread_name VARCHAR(256) NOT NULL,
    version VARCHAR(256),
    build_time TIMESTAMP WITHOUT TIME ZONE
);
CREATE INDEX audit_log_timestamp ON audit_log (timestamp_created);
CREATE INDEX audit_log_application ON audit_log (application_name);
CREATE INDEX audit_log_level ON audit_log (audit_level);
CREATE INDEX audit_log_type ON audit_log (audit_type);

CREATE TABLE audit_param (
    audit_log_id VARCHAR(36),
    timestamp_created TIMESTAMP WITHOUT TIME ZONE DEFAULT now(),
    param_key VARCHAR(256),
    param_value VARCHAR(4000)
);
CREATE INDEX audit_param_log ON audit_param (audit_log_id);
CREATE INDEX audit_param_timestamp ON audit_param (timestamp_created);
CREATE INDEX audit_param_key ON audit_param (param_key);
CREATE INDEX audit_param_value ON audit_param (param_value);
