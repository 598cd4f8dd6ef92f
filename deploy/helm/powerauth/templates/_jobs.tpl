{{- define "powerauth.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{- /* The commands that make each database's accounts, and whose they are: client token and secret are given to each. */ -}}
{{- define "powerauth.accounts.core" -}}
- {caller: cloud, args: [integration, create, cloud, --door, rest]}
- {caller: enrollment, args: [integration, create, enrollment, --door, dmz]}
{{- if .Values.push.enabled }}
- {caller: push, args: [integration, create, push, --door, rest]}
{{- end }}
{{- end -}}

{{- define "powerauth.accounts.push" -}}
- {caller: cloud, args: [push, caller, create, cloud]}
- {caller: enrollment, args: [push, caller, create, enrollment, --scopes, enrollment]}
{{- end -}}

{{- define "powerauth.accounts.cloud" -}}
- {caller: administrator, args: [admin, create, {{ .Values.administrator.username | quote }}]}
{{- end -}}

{{- /* Whose accounts a database holds: the keys of their Secrets with the client token, none for a user, and the secret. */ -}}
{{- define "powerauth.accountKeys" -}}
{{- if eq .name "core" -}}
cloud: {token: core-username, secret: core-password}
enrollment: {token: core-client-token, secret: core-client-secret}
{{- if .root.Values.push.enabled }}
push: {token: core-username, secret: core-password}
{{- end }}
{{- else if eq .name "push" -}}
cloud: {token: push-username, secret: push-password}
enrollment: {token: push-client-token, secret: push-client-secret}
{{- else -}}
administrator: {secret: password}
{{- end }}
{{- end -}}

{{- /* What commands are given that work on a database: it, and its secrets' keys where it holds secrets. */ -}}
{{- define "powerauth.commandMounts" -}}
{{ include "powerauth.databaseMounts" . }}
{{- if hasKey .facts.secrets "master-encryption-key" }}
{{- $keys := concat (list "master-encryption-key") (values .values.secretSettings | sortAlpha) }}
/run/secrets/powerauth: {secret: {{ include "powerauth.secretName" . }}, keys: {{ toJson $keys }}}
{{- end }}
{{- end -}}

{{- define "powerauth.commandEnvironment" -}}
{{- $p := .facts.prefix -}}
- {name: {{ $p }}_ENVIRONMENT, value: production}
{{- if hasKey .mounts "/run/secrets/powerauth" }}
- {name: {{ $p }}_MASTER_ENCRYPTION_KEY_FILE, value: /run/secrets/powerauth/master-encryption-key}
{{- range $variable, $key := .values.secretSettings }}
- {name: {{ $variable }}_FILE, value: /run/secrets/powerauth/{{ $key }}}
{{- end }}
{{- end }}
{{ include "powerauth.databaseEnvironment" . }}
{{- end -}}

{{- /* Beside that the secrets of the callers. */ -}}
{{- define "powerauth.accountMounts" -}}
{{- $root := .root -}}
{{ include "powerauth.commandMounts" . }}
{{- range $caller, $key := include "powerauth.accountKeys" . | fromYaml }}
/run/callers/{{ $caller }}: {secret: {{ include "powerauth.secretName" (dict "root" $root "name" $caller) }}, keys: [{{ $key.secret }}]}
{{- end }}
{{- end -}}

{{- define "powerauth.job" -}}
{{- $root := .root -}}
{{- $component := dict "root" $root "name" .kind "suffix" (printf "%s-%s" .kind .name) -}}
{{- if not .hook -}}
{{- $_ := set $component "suffix" (printf "%s-r%d" $component.suffix $root.Release.Revision) -}}
{{- end -}}
{{- $accounts := eq .kind "accounts" -}}
{{- $callers := ternary (include "powerauth.accountKeys" . | fromYaml) dict $accounts -}}
{{- $mounts := include (ternary "powerauth.accountMounts" "powerauth.databaseMounts" $accounts) . | fromYaml -}}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "powerauth.metadata" $component | nindent 2 }}
  {{- if .hook }}
  annotations:
    {{- include "powerauth.hook" "0" | nindent 4 }}
  {{- end }}
spec:
  backoffLimit: {{ $root.Values.jobs.backoffLimit }}
  activeDeadlineSeconds: {{ $root.Values.jobs.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "powerauth.labels" $component | nindent 8 }}
        powerauth/database: {{ .name }}
    spec:
      {{- include "powerauth.podBase" (merge (dict "account" .kind) .) | nindent 6 }}
      restartPolicy: OnFailure
      {{- $last := last .commands }}
      {{- if gt (len .commands) 1 }}
      initContainers:
        {{- range $command := initial .commands }}
        {{- include "powerauth.jobContainer" (merge (dict "container" (printf "%s-%s" $.kind $command.caller) "command" $command "mounts" $mounts "callers" $callers) $) | nindent 8 }}
        {{- end }}
      {{- end }}
      containers:
        {{- include "powerauth.jobContainer" (merge (dict "container" .kind "command" $last "mounts" $mounts "callers" $callers) .) | nindent 8 }}
      volumes:
        {{- include "powerauth.volumes" (dict "root" $root "mounts" $mounts) | nindent 8 }}
{{- end -}}

{{- define "powerauth.jobContainer" -}}
{{- $caller := .command.caller -}}
{{- $keys := dig ($caller | default "none") dict .callers -}}
{{- $arguments := .command.args -}}
{{- if $keys.token -}}
{{- $arguments = concat $arguments (list "--token" "$(CLIENT_TOKEN)") -}}
{{- end -}}
{{- if $keys -}}
{{- $option := ternary "--secret-file" "--password-file" (hasKey $keys "token") -}}
{{- $arguments = concat $arguments (list $option (printf "/run/callers/%s/%s" $caller $keys.secret)) -}}
{{- end -}}
- name: {{ .container }}
  image: {{ include "powerauth.image" (dict "root" .root "name" "tools") }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: {{ toJson $arguments }}
  securityContext:
    {{- include "powerauth.containerSecurity" . | nindent 4 }}
  env:
    {{- include "powerauth.commandEnvironment" . | nindent 4 }}
    {{- if $keys.token }}
    - name: CLIENT_TOKEN
      valueFrom:
        secretKeyRef: {name: {{ include "powerauth.secretName" (dict "root" .root "name" $caller) }}, key: {{ $keys.token }}}
    {{- end }}
  resources:
    {{- toYaml .root.Values.jobs.resources | nindent 4 }}
  volumeMounts:
    {{- include "powerauth.volumeMounts" (dict "mounts" .mounts) | nindent 4 }}
{{- end -}}
