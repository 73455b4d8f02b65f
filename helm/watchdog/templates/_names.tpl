{{- define "watchdog.name" -}}
{{- if contains "watchdog" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}-watchdog{{ end }}
{{- end }}

{{- define "watchdog.selector" -}}
app.kubernetes.io/name: watchdog
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "watchdog.labels" -}}
{{ include "watchdog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "watchdog.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "watchdog.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "watchdog.claim" -}}
{{ .Values.state.persistence.existingClaim | default (printf "%s-state" (include "watchdog.name" .)) }}
{{- end }}
