{{- /* The variables of the services. What is secret is a file that a variable names; see `powerauth.mounts`. */ -}}

{{- /* All settings of a service: those that the chart decides, and the operator's, as YAML. */ -}}
{{- define "powerauth.settings" -}}
{{- $own := include "powerauth.ownSettings" . | fromYaml -}}
{{- $prefix := .facts.prefix -}}
{{- range $variable, $value := .values.settings -}}
{{- if hasKey $own $variable -}}
{{- fail (printf "%s.settings.%s: the chart sets this itself, by a value of its own (see README.md)" $.name $variable) -}}
{{- end -}}
{{- if regexMatch "_(PASSWORD|SECRET|KEY|KEYS|KEY_FILE|DATABASE_URL|DATABASE_MIGRATE_URL|BUS_URL|STORAGE_URL|PASSWORD_ENCODED)$" $variable -}}
{{- fail (printf "%s.settings.%s: is a secret and belongs in a Secret, not in a ConfigMap (see %s.secretSettings)" $.name $variable $.name) -}}
{{- end -}}
{{- end -}}
{{- toYaml (merge $own .values.settings) -}}
{{- end -}}

{{- define "powerauth.ownSettings" -}}
{{- $root := .root -}}
{{- $p := .facts.prefix -}}
{{ $p }}_ENVIRONMENT: production
{{ $p }}_HOST: 0.0.0.0
{{ $p }}_PORT: "8080"
{{ $p }}_MANAGEMENT_PORT: "9090"
{{ $p }}_METRICS_ENABLED: "true"
{{ $p }}_WORKERS: {{ .workload.workers | quote }}
{{ $p }}_LOG_LEVEL: {{ .workload.logLevel }}
{{- if include "powerauth.listensWithTls" . }}
{{ $p }}_TLS_CERTIFICATE_PATH: /run/tls/tls.crt
{{ $p }}_TLS_KEY_PATH: /run/tls/tls.key
{{ $p }}_MANAGEMENT_TLS: "true"
{{- end }}
{{- if and (ne $root.Values.tls.mode "none") (ne .name "core") }}
{{ $p }}_INTERNAL_CA_PATH: /run/tls/ca.crt
{{ $p }}_INTERNAL_CERTIFICATE_PATH: /run/tls/tls.crt
{{ $p }}_INTERNAL_KEY_PATH: /run/tls/tls.key
{{- end }}
{{- with $root.Values.tracing }}
{{- if .endpoint }}
{{ $p }}_TRACING_ENDPOINT: {{ .endpoint | quote }}
{{ $p }}_TRACING_SAMPLE_RATIO: {{ .sampleRatio | quote }}
{{- end }}
{{- end }}
{{- with $root.Values.auditExport }}
{{- if and $.facts.auditExport .url }}
{{ $p }}_AUDIT_EXPORT_URL: {{ .url | quote }}
{{ $p }}_AUDIT_EXPORT_FORMAT: {{ .format }}
{{- if .tlsSecret }}
{{ $p }}_AUDIT_EXPORT_CA_PATH: /run/audit-export-tls/ca.crt
{{- end }}
{{- if .clientCertificate }}
{{ $p }}_AUDIT_EXPORT_CERTIFICATE_PATH: /run/audit-export-tls/tls.crt
{{ $p }}_AUDIT_EXPORT_KEY_PATH: /run/audit-export-tls/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- range $variable, $key := .values.secretSettings }}
{{ $variable }}_FILE: /run/secrets/powerauth/{{ $key }}
{{- end }}
{{ include (printf "powerauth.settings.%s" .name) . }}
{{- end -}}

{{- define "powerauth.clientNames" -}}
{{- $names := list -}}
{{- range .callers -}}
{{- $names = append $names (include "powerauth.host" (dict "root" $.root "name" .)) -}}
{{- end -}}
{{ join "," $names }}
{{- end -}}

{{- define "powerauth.settings.core" -}}
{{- $root := .root -}}
CORE_DMZ_PORT: "8081"
CORE_MASTER_ENCRYPTION_KEY_FILE: /run/secrets/powerauth/master-encryption-key
{{- if .values.readDatabase.existingSecret }}
CORE_READ_DATABASE_URL_FILE: /run/secrets/read-database/{{ .values.readDatabase.urlKey }}
{{- end }}
{{- if include "powerauth.listensWithTls" . }}
CORE_TLS_CLIENT_CA_PATH: /run/tls/ca.crt
CORE_TLS_CLIENT_NAMES: {{ include "powerauth.clientNames" (dict "root" $root "callers" (list "cloud" "push")) }}
CORE_DMZ_TLS_CLIENT_NAMES: {{ include "powerauth.clientNames" (dict "root" $root "callers" (list "enrollment")) }}
{{- end }}
{{- with $root.Values.egress.proxy }}
{{- if .host }}
CORE_HTTP_PROXY_ENABLED: "true"
CORE_HTTP_PROXY_HOST: {{ .host }}
CORE_HTTP_PROXY_PORT: {{ .port | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "powerauth.settings.enrollment" -}}
ENROLLMENT_CORE_URL: {{ include "powerauth.url" (dict "root" .root "name" "core" "port" "dmz") }}
ENROLLMENT_CORE_CLIENT_TOKEN_FILE: /run/secrets/powerauth/core-client-token
ENROLLMENT_CORE_CLIENT_SECRET_FILE: /run/secrets/powerauth/core-client-secret
{{- if .root.Values.push.enabled }}
ENROLLMENT_PUSH_URL: {{ include "powerauth.url" (dict "root" .root "name" "push" "port" "http") }}
ENROLLMENT_PUSH_CLIENT_TOKEN_FILE: /run/secrets/powerauth/push-client-token
ENROLLMENT_PUSH_CLIENT_SECRET_FILE: /run/secrets/powerauth/push-client-secret
{{- end }}
{{- with .values.trustedProxies }}
ENROLLMENT_TRUSTED_PROXIES: {{ join "," . }}
{{- end }}
{{- if .values.redis.existingSecret }}
ENROLLMENT_LIMIT_STORAGE_URL_FILE: /run/secrets/redis/{{ .values.redis.urlKey }}
{{- end }}
{{- end -}}

{{- define "powerauth.settings.cloud" -}}
CLOUD_CORE_URL: {{ include "powerauth.url" (dict "root" .root "name" "core" "port" "rest") }}
CLOUD_CORE_USERNAME_FILE: /run/secrets/powerauth/core-username
CLOUD_CORE_PASSWORD_FILE: /run/secrets/powerauth/core-password
CLOUD_OFFLINE_DERIVATION_KEY_FILE: /run/secrets/powerauth/offline-derivation-key
{{- if .root.Values.push.enabled }}
CLOUD_PUSH_URL: {{ include "powerauth.url" (dict "root" .root "name" "push" "port" "http") }}
CLOUD_PUSH_USERNAME_FILE: /run/secrets/powerauth/push-username
CLOUD_PUSH_PASSWORD_FILE: /run/secrets/powerauth/push-password
{{- end }}
{{- with .values.trustedProxies }}
CLOUD_TRUSTED_PROXIES: {{ join "," . }}
{{- end }}
{{- with include "powerauth.publicUrl" .root }}
CLOUD_SERVICE_BASE_URL: {{ . }}
{{- end }}
{{- end -}}

{{- define "powerauth.settings.push" -}}
{{- $root := .root -}}
PUSH_CORE_URL: {{ include "powerauth.url" (dict "root" $root "name" "core" "port" "rest") }}
PUSH_CORE_USERNAME_FILE: /run/secrets/powerauth/core-username
PUSH_CORE_PASSWORD_FILE: /run/secrets/powerauth/core-password
PUSH_MASTER_ENCRYPTION_KEY_FILE: /run/secrets/powerauth/master-encryption-key
{{- if include "powerauth.listensWithTls" . }}
PUSH_TLS_CLIENT_CA_PATH: /run/tls/ca.crt
PUSH_TLS_CLIENT_NAMES: {{ include "powerauth.clientNames" (dict "root" $root "callers" (list "cloud" "enrollment")) }}
{{- end }}
{{- with $root.Values.egress.proxy }}
{{- if .host }}
{{- range $provider := list "APNS" "FCM" "HMS" }}
PUSH_{{ $provider }}_PROXY_ENABLED: "true"
PUSH_{{ $provider }}_PROXY_HOST: {{ $root.Values.egress.proxy.host }}
PUSH_{{ $provider }}_PROXY_PORT: {{ $root.Values.egress.proxy.port | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* URLs of databases and brokers: files of given Secrets, or put together of what the operators' Secrets hold. */ -}}
{{- define "powerauth.databaseEnvironment" -}}
{{- $p := .facts.prefix -}}
{{- $database := .values.database -}}
{{- if eq .root.Values.postgresql.mode "operator" -}}
{{- $cluster := printf "%s-%s-db" (include "powerauth.fullname" .root) .name -}}
{{- range $variable, $key := dict "DATABASE_USER" "username" "DATABASE_PASSWORD" "password" }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ $cluster }}-app, key: {{ $key }}}
{{- end }}
- name: {{ $p }}_DATABASE_URL
  value: postgresql://$(DATABASE_USER):$(DATABASE_PASSWORD)@{{ $cluster }}-rw.{{ .root.Release.Namespace }}.svc:5432/{{ .name }}?sslmode=verify-full&sslrootcert=/run/database-tls/ca.crt
{{- else }}
- name: {{ $p }}_DATABASE_URL_FILE
  value: /run/secrets/database/{{ $database.urlKey }}
{{- if $database.transactionPooler }}
- name: {{ $p }}_DATABASE_TRANSACTION_POOLER
  value: "true"
{{- end }}
{{- if and .migrates $database.migration.urlKey }}
- name: {{ $p }}_DATABASE_MIGRATE_URL_FILE
  value: /run/secrets/database/{{ $database.migration.urlKey }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "powerauth.brokerEnvironment" -}}
{{- $p := .facts.prefix -}}
{{- $broker := .root.Values.broker -}}
{{- if eq $broker.mode "operator" -}}
{{- $cluster := printf "%s-broker" (include "powerauth.fullname" .root) -}}
{{- range $variable, $key := dict "BROKER_USER" "username" "BROKER_PASSWORD" "password" }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef: {name: {{ $cluster }}-default-user, key: {{ $key }}}
{{- end }}
- name: {{ $p }}_BUS_URL
  value: amqps://$(BROKER_USER):$(BROKER_PASSWORD)@{{ $cluster }}.{{ .root.Release.Namespace }}.svc:5671/?cafile=/run/broker-tls/ca.crt
{{- else }}
- name: {{ $p }}_BUS_URL_FILE
  value: /run/secrets/broker/{{ index $broker.urlKeys .name }}
{{- end }}
{{- end -}}
