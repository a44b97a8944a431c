{{- define "casemate.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "casemate.selector" -}}
app.kubernetes.io/name: casemate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "casemate.labels" -}}
{{ include "casemate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* What cannot work is refused here, with the reason. */ -}}
{{- define "casemate.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.secret) -}}
{{- fail "replicas above 1 need database.secret: an SQLite file serves one process" -}}
{{- end -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.blobs) -}}
{{- fail "replicas above 1 need blobs: attachments on one node's volume are not seen by the others" -}}
{{- end -}}
{{- if and .Values.database.secret (not .Values.keys.secret) -}}
{{- fail "database.secret needs keys.secret: without the same master.key a new pod cannot open the data" -}}
{{- end -}}
{{- if and .Values.blobs (not .Values.database.secret) -}}
{{- fail "blobs needs database.secret, which holds the store's credentials as well" -}}
{{- end -}}
{{- end -}}
