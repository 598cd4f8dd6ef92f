{{- /* What every pod is: restricted, without a token, with its secrets as files. */ -}}

{{- define "powerauth.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "powerauth.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "powerauth.podBase" -}}
serviceAccountName: {{ include "powerauth.fullname" .root }}-{{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "powerauth.podSecurity" . | nindent 2 }}
{{- end -}}

{{- /* The Secrets of a service's pod: mount path to {secret, keys}, of which it gets these keys alone; without keys all. */ -}}
{{- define "powerauth.mounts" -}}
{{- $root := .root -}}
/run/secrets/powerauth: {secret: {{ include "powerauth.secretName" . }}}
{{ include "powerauth.databaseMounts" . }}
{{- if .facts.broker }}
{{- if eq $root.Values.broker.mode "external" }}
/run/secrets/broker: {secret: {{ $root.Values.broker.existingSecret }}, keys: [{{ index $root.Values.broker.urlKeys .name }}]}
{{- end }}
{{- with include "powerauth.brokerTlsSecret" $root }}
/run/broker-tls: {secret: {{ . }}, keys: [ca.crt]}
{{- end }}
{{- end }}
{{- if ne $root.Values.tls.mode "none" }}
/run/tls: {secret: {{ include "powerauth.tlsSecretName" . }}}
{{- end }}
{{- range $name, $server := pick .values "redis" "readDatabase" }}
{{- if $server.existingSecret }}
/run/secrets/{{ kebabcase $name }}: {secret: {{ $server.existingSecret }}, keys: [{{ $server.urlKey }}]}
{{- end }}
{{- end }}
{{- with $root.Values.auditExport }}
{{- if and $.facts.auditExport .url .tlsSecret }}
/run/audit-export-tls: {secret: {{ .tlsSecret }}, keys: {{ toJson (ternary (list "ca.crt" "tls.crt" "tls.key") (list "ca.crt") .clientCertificate) }}}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The owner's URL is for migrations alone. */ -}}
{{- define "powerauth.databaseMounts" -}}
{{- if .facts.database -}}
{{- $database := .values.database -}}
{{- if eq .root.Values.postgresql.mode "operator" }}
/run/database-tls: {secret: {{ include "powerauth.fullname" .root }}-{{ .name }}-db-ca, keys: [ca.crt]}
{{- else }}
{{- $keys := list $database.urlKey }}
{{- if .migrates }}
{{- $keys = append $keys $database.migration.urlKey | compact | uniq }}
{{- end }}
/run/secrets/database: {secret: {{ $database.existingSecret }}, keys: {{ toJson $keys }}}
{{- with $database.tlsSecret }}
/run/database-tls: {secret: {{ . }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "powerauth.brokerTlsSecret" -}}
{{- if .Values.broker.tlsSecret -}}
{{ .Values.broker.tlsSecret }}
{{- else if eq .Values.broker.mode "operator" -}}
{{ include "powerauth.fullname" . }}-broker-tls
{{- end -}}
{{- end -}}

{{- define "powerauth.volumeName" -}}
{{ . | trimPrefix "/run/" | replace "/" "-" }}
{{- end -}}

{{- define "powerauth.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .root.Values.workload.temporaryStorage }}}
{{- range $path, $mount := .mounts }}
- name: {{ include "powerauth.volumeName" $path }}
  secret:
    secretName: {{ $mount.secret }}
    defaultMode: 0440
    {{- with $mount.keys }}
    items:
      {{- range . }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "powerauth.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- range $path, $_ := .mounts }}
- {name: {{ include "powerauth.volumeName" $path }}, mountPath: {{ $path }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "powerauth.probe" -}}
httpGet:
  path: /actuator/health/{{ .path }}
  port: management
  {{- if include "powerauth.listensWithTls" . }}
  scheme: HTTPS
  {{- end }}
{{- end -}}
