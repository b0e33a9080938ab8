{{/* The name of everything. */}}
{{- define "mailwright.fullname" -}}
{{- default (printf "%s-operator" .Release.Name) .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What selects the operator's pods; the NetworkPolicies of mail pods name the same labels. */}}
{{- define "mailwright.selector" -}}
app.kubernetes.io/name: mailwright
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "mailwright.labels" -}}
{{ include "mailwright.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "mailwright.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "mailwright.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name must name a ServiceAccount when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "mailwright.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Who the API server sees. */}}
{{- define "mailwright.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "mailwright.serviceAccount" . }}
{{- end }}

{{/* A name for cluster-wide objects, which releases in two namespaces must not share. */}}
{{- define "mailwright.clusterName" -}}
{{- $name := include "mailwright.fullname" . }}
{{- if .Values.watch.namespaces }}{{ printf "%s-%s" .Release.Namespace $name }}{{ else }}{{ $name }}{{ end }}
{{- end }}
