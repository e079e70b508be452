{{- define "baseten-watchdog.name" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "baseten-watchdog.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- /* The two kinds of ledger have Deployments of their own, as they need other strategies, and a change of
       one into the other would leave the Pods of both running when the new ones do not become ready. */}}
{{- define "baseten-watchdog.component" -}}
{{ .Values.postgres.enabled | ternary "postgres" "sqlite" }}
{{- end }}

{{- define "baseten-watchdog.deployment" -}}
{{ include "baseten-watchdog.name" . }}{{ if .Values.postgres.enabled }}-postgres{{ end }}
{{- end }}

{{- /* What the daemon would accept, and what does not work in this chart. */}}
{{- define "baseten-watchdog.refusals" -}}
{{- if regexMatch "^(127\\.|::1$|localhost$)" (dig "server" "host" "::" .Values.config) }}
{{- fail (printf "config.server.host: Kubernetes cannot reach %s to probe it: leave it out, or set \"::\" or 0.0.0.0" .Values.config.server.host) }}
{{- end }}
{{- if and (or .Values.ingress.enabled .Values.httpRoute.enabled .Values.serviceMonitor.enabled) (not .Values.service.enabled) }}
{{- fail "service.enabled: ingress, httpRoute and serviceMonitor need the Service" }}
{{- end }}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled }}
{{- fail "serviceMonitor.enabled: podMonitor.enabled is set too, and each daemon would be scraped twice" }}
{{- end }}
{{- if dig "store" "url" "" .Values.config }}
{{- fail "config.store.url: leave it out; for PostgreSQL set postgres.enabled, and put the URL into the Secret postgres.secretName" }}
{{- end }}
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
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "baseten-watchdog.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "baseten-watchdog.name" .) "default") }}
{{- end }}

{{- define "baseten-watchdog.port" -}}
{{ dig "server" "port" 9464 .Values.config }}
{{- end }}

{{- define "baseten-watchdog.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default (.Chart.AppVersion | replace "+" "_") }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "baseten-watchdog.configMap" -}}
{{ .Values.existingConfigMap | default (include "baseten-watchdog.name" .) }}
{{- end }}

{{- /* A path of the Pod's spec that is left out while its value is empty. */}}
{{- define "baseten-watchdog.optional" -}}
{{- range $name := list "imagePullSecrets" "priorityClassName" "runtimeClassName" "dnsPolicy" "dnsConfig" "hostAliases" "initContainers" "nodeSelector" "tolerations" "affinity" }}
{{- with get $.Values $name }}
{{ $name }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "baseten-watchdog.metadata" -}}
name: {{ include "baseten-watchdog.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "baseten-watchdog.labels" . | nindent 2 }}
{{- end }}
