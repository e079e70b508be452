{{- define "baseten-watchdog.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "baseten-watchdog.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "baseten-watchdog.labels" -}}
{{ include "baseten-watchdog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "baseten-watchdog.metadata" -}}
name: {{ include "baseten-watchdog.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "baseten-watchdog.labels" . | nindent 2 }}
{{- end }}
