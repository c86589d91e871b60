{{- define "rollcall.name" -}}
{{- if contains "rollcall" .Release.Name }}{{ .Release.Name | trunc 50 }}{{ else }}{{ printf "%s-rollcall" .Release.Name | trunc 50 }}{{ end }}
{{- end }}

{{- define "rollcall.selector" -}}
app.kubernetes.io/name: rollcall
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rollcall.labels" -}}
{{ include "rollcall.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end }}

{{- define "rollcall.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* The settings as variables: http.listen is ROLLCALL_HTTP_LISTEN. */}}
{{- define "rollcall.settings" -}}
{{- range $section, $keys := .Values.settings }}
{{- range $key, $value := $keys }}
{{- /* Numbers come as floats, which would print large ones with an exponent. */}}
{{- if kindIs "float64" $value }}{{ if eq (float64 (int64 $value)) $value }}{{ $value = int64 $value }}{{ end }}{{ end }}
{{ printf "ROLLCALL_%s_%s" $section $key | upper }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "rollcall.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* What every pod of the chart has. */}}
{{- define "rollcall.pod" -}}
automountServiceAccountToken: false
# A Service called rollcall would put variables into the pods that look like settings.
enableServiceLinks: false
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* The container that migrates: it needs the owner's secret and nothing else that the chart makes. */}}
{{- define "rollcall.migrate" -}}
name: migrate
image: {{ include "rollcall.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [migrate]
env:
  - {name: ROLLCALL_DATABASE_URL_FILE, value: /run/secrets/owner/url}
securityContext: {{- include "rollcall.containerSecurity" . | nindent 2 }}
resources: {{- toYaml .Values.migrations.resources | nindent 2 }}
volumeMounts:
  - {name: owner, mountPath: /run/secrets/owner, readOnly: true}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "rollcall.ownerVolume" -}}
name: owner
secret:
  secretName: {{ .Values.secrets.owner.name }}
  defaultMode: 0440
  items: [{key: {{ .Values.secrets.owner.key | quote }}, path: url}]
{{- end }}

{{- /* Pods of a role at most. */}}
{{- define "rollcall.most" -}}
{{ if .autoscaling.enabled }}{{ .autoscaling.max }}{{ else }}{{ .replicas }}{{ end }}
{{- end }}
