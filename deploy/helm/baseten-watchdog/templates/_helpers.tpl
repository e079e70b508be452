{{- define "baseten-watchdog.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "baseten-watchdog.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* The value of a label, which has no "+" of a version in it and at most 63 characters. */}}
{{- define "baseten-watchdog.label" -}}
{{ . | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
{{- end }}

{{- define "baseten-watchdog.labels" -}}
{{ include "baseten-watchdog.selector" . }}
app.kubernetes.io/version: {{ include "baseten-watchdog.label" .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "baseten-watchdog.label" (printf "%s-%s" .Chart.Name .Chart.Version) }}
{{- end }}

{{- define "baseten-watchdog.metadata" -}}
name: {{ include "baseten-watchdog.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "baseten-watchdog.labels" . | nindent 2 }}
{{- end }}
