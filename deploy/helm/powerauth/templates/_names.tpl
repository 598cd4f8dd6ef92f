{{- /* Names and labels. "Context" below is what `powerauth.context` makes: root, name, values, workload, facts. */ -}}

{{- define "powerauth.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- /* What the services are: the same mechanism renders all four. Ports by name; `secrets` are made at random, by their form. */ -}}
{{- define "powerauth.facts" -}}
core:
  prefix: CORE
  path: /powerauth-java-server
  ports: {rest: 8080, dmz: 8081}
  database: core
  broker: true
  auditExport: true
  secrets: {master-encryption-key: key16}
enrollment:
  prefix: ENROLLMENT
  path: /enrollment-server
  ports: {http: 8080}
  secrets: {core-client-token: token, core-client-secret: secret, push-client-token: token, push-client-secret: secret}
cloud:
  prefix: CLOUD
  path: /powerauth-cloud
  ports: {http: 8080}
  database: cloud
  broker: true
  auditExport: true
  secrets: {core-username: token, core-password: secret, push-username: token, push-password: secret, offline-derivation-key: key32}
push:
  prefix: PUSH
  path: /powerauth-push-server
  ports: {http: 8080}
  database: push
  broker: true
  secrets: {master-encryption-key: key16, core-username: token, core-password: secret}
{{- end -}}

{{- define "powerauth.services" -}}
{{ ternary "core enrollment cloud push" "core enrollment cloud" .Values.push.enabled }}
{{- end -}}

{{- define "powerauth.databases" -}}
{{ ternary "core cloud push" "core cloud" .Values.push.enabled }}
{{- end -}}

{{- define "powerauth.labels" -}}
app.kubernetes.io/name: powerauth
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: powerauth
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "powerauth.selector" -}}
app.kubernetes.io/name: powerauth
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "powerauth.metadata" -}}
name: {{ include "powerauth.fullname" .root }}-{{ .suffix | default .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "powerauth.labels" . | nindent 2 }}
{{- end -}}

{{- define "powerauth.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "powerauth-%s" .name -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $name }}
{{- with index $image.digests $name }}@{{ . }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end -}}

{{- /* The DNS name of a service, which its certificate names too. */ -}}
{{- define "powerauth.host" -}}
{{ include "powerauth.fullname" .root }}-{{ .name }}.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{- /* Whether a service's port speaks TLS: "true" or empty. */ -}}
{{- define "powerauth.listensWithTls" -}}
{{- $values := index .root.Values .name -}}
{{- if and (ne .root.Values.tls.mode "none") (dig "tls" true $values) -}}true{{- end -}}
{{- end -}}

{{- define "powerauth.url" -}}
{{- $facts := index (include "powerauth.facts" .root | fromYaml) .name -}}
{{ ternary "https" "http" (eq (include "powerauth.listensWithTls" .) "true") }}://{{ include "powerauth.host" . }}:{{ index $facts.ports .port }}{{ $facts.path }}
{{- end -}}

{{- define "powerauth.secretName" -}}
{{ (index .root.Values .name).existingSecret | default (printf "%s-%s" (include "powerauth.fullname" .root) .name) }}
{{- end -}}

{{- define "powerauth.tlsSecretName" -}}
{{- if eq .root.Values.tls.mode "secrets" -}}
{{ index .root.Values.tls.secrets .name }}
{{- else -}}
{{ include "powerauth.fullname" .root }}-{{ .name }}-tls
{{- end -}}
{{- end -}}

{{- define "powerauth.publicUrl" -}}
{{- if .Values.cloud.serviceBaseUrl -}}
{{ .Values.cloud.serviceBaseUrl }}
{{- else if .Values.ingress.enabled -}}
https://{{ .Values.ingress.host }}/enrollment-server
{{- else if and .Values.gateway.enabled .Values.gateway.hostnames -}}
https://{{ first .Values.gateway.hostnames }}/enrollment-server
{{- end -}}
{{- end -}}
