{{/* Labels of every definition. */}}
{{- define "mailwright-crds.labels" -}}
app.kubernetes.io/name: mailwright-crds
app.kubernetes.io/part-of: mailwright
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
