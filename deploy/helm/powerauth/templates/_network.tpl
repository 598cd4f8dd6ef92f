{{- /* Rules of NetworkPolicies, as YAML lists. */ -}}

{{- /* Pods of this release by component. */ -}}
{{- define "powerauth.pods" -}}
podSelector:
  matchLabels:
    {{- include "powerauth.selector" . | nindent 4 }}
{{- end -}}

{{- /* One rule: `key` (from or to), `components`, `peers`, `ports`. None when there is nobody. */ -}}
{{- define "powerauth.rule" -}}
{{- if or .components .peers }}
- {{ .key }}:
    {{- range .components }}
    - {{- include "powerauth.pods" (dict "root" $.root "name" .) | nindent 6 }}
    {{- end }}
    {{- with .peers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "powerauth.dnsRule" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{- define "powerauth.databaseRule" -}}
{{- $database := .values.database -}}
{{- $peers := $database.to -}}
{{- $port := $database.port -}}
{{- if and .migrates $database.migration.urlKey -}}
{{- $peers = $database.migration.to | default $peers -}}
{{- $port = $database.migration.port -}}
{{- end -}}
{{- if eq .root.Values.postgresql.mode "operator" -}}
{{- $peers = list (dict "podSelector" (dict "matchLabels" (dict "cnpg.io/cluster" (printf "%s-%s-db" (include "powerauth.fullname" .root) .name)))) -}}
{{- $port = 5432 -}}
{{- end -}}
{{ include "powerauth.rule" (dict "root" .root "key" "to" "peers" $peers "ports" (list $port)) }}
{{- end -}}

{{- define "powerauth.brokerRule" -}}
{{- $peers := .Values.broker.to -}}
{{- $port := .Values.broker.port -}}
{{- if eq .Values.broker.mode "operator" -}}
{{- $peers = list (dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/name" (printf "%s-broker" (include "powerauth.fullname" .))))) -}}
{{- $port = 5671 -}}
{{- end -}}
{{ include "powerauth.rule" (dict "root" . "key" "to" "peers" $peers "ports" (list $port)) }}
{{- end -}}

{{- define "powerauth.outsideRule" -}}
{{- $ports := .Values.egress.ports -}}
{{- if .Values.egress.proxy.host -}}
{{- $ports = list .Values.egress.proxy.port -}}
{{- end -}}
{{ include "powerauth.rule" (dict "root" . "key" "to" "peers" .Values.egress.to "ports" $ports) }}
{{- end -}}

{{- /* Who may call a service, by its ports: components of the release, and peers from the values. */ -}}
{{- define "powerauth.ingress" -}}
{{- $values := .root.Values -}}
{{- $test := ternary (list "test") list $values.tests.enabled -}}
{{- $push := ternary (list "push") list $values.push.enabled -}}
{{- if eq .name "core" -}}
{{ include "powerauth.rule" (dict "root" .root "key" "from" "components" (concat (list "cloud") $push) "peers" $values.core.callers "ports" (list 8080)) }}
{{ include "powerauth.rule" (dict "root" .root "key" "from" "components" (list "enrollment") "ports" (list 8081)) }}
{{- else if eq .name "push" -}}
{{ include "powerauth.rule" (dict "root" .root "key" "from" "components" (list "cloud" "enrollment") "ports" (list 8080)) }}
{{- else -}}
{{ include "powerauth.rule" (dict "root" .root "key" "from" "components" $test "peers" (index $values .name).callers "ports" (list 8080)) }}
{{- end }}
{{ include "powerauth.rule" (dict "root" .root "key" "from" "peers" $values.monitoring.callers "ports" (list 9090)) }}
{{- end -}}

{{- define "powerauth.egress" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{ include "powerauth.dnsRule" $root }}
{{- if eq .name "enrollment" }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "components" (list "core") "ports" (list 8081)) }}
{{- else }}
{{ include "powerauth.databaseRule" . }}
{{ include "powerauth.brokerRule" $root }}
{{- if ne .name "core" }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "components" (list "core") "ports" (list 8080)) }}
{{- end }}
{{- end }}
{{- if and $values.push.enabled (has .name (list "enrollment" "cloud")) }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "components" (list "push") "ports" (list 8080)) }}
{{- end }}
{{- if has .name (list "core" "push") }}
{{ include "powerauth.outsideRule" $root }}
{{- end }}
{{- range $server := pick .values "redis" "readDatabase" }}
{{- if $server.existingSecret }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "peers" $server.to "ports" (list $server.port)) }}
{{- end }}
{{- end }}
{{- if and .facts.auditExport $values.auditExport.url }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "peers" $values.auditExport.to "ports" (list $values.auditExport.port)) }}
{{- end }}
{{- if $values.tracing.endpoint }}
{{ include "powerauth.rule" (dict "root" $root "key" "to" "peers" $values.tracing.to "ports" (list $values.tracing.port)) }}
{{- end }}
{{- with index $values.networkPolicy.extraEgress .name }}
{{ toYaml . }}
{{- end }}
{{- end -}}
