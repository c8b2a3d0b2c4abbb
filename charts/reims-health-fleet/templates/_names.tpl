{{/* Names and labels. Those of charts/reims-health, by the same rules. */}}

{{- define "reims-health-fleet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 55 | trimAll "-" }}
{{- end }}

{{/* Short enough for every suffix, and without the dots that a release may have. */}}
{{- define "reims-health-fleet.fullname" -}}
{{- $name := include "reims-health-fleet.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride }}
{{- $full = .Values.fullnameOverride }}
{{- else if and (eq .Chart.Name "reims-health-fleet") (contains (printf "-%s-" $name) (printf "-%s-" .Release.Name)) }}
{{- $full = .Release.Name }}
{{- end }}
{{- $full = $full | replace "." "-" }}
{{- /* Two long names that begin alike stay two. */}}
{{- if gt (len $full) 52 }}{{- $full = printf "%s-%s" (trunc 43 $full | trimAll "-") (sha256sum $full | trunc 8) }}{{- end }}
{{- $full | trimAll "-" }}
{{- end }}

{{/* Two releases of one name, in two namespaces, share no object of the cluster. */}}
{{- define "reims-health-fleet.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "reims-health-fleet.fullname" .) }}
{{- end }}

{{- define "reims-health-fleet.serviceAccountName" -}}
{{- default (ternary (include "reims-health-fleet.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{- define "reims-health-fleet.selectorLabels" -}}
app.kubernetes.io/name: {{ include "reims-health-fleet.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* The metadata of an object. Takes {root}, and where they differ from those of most objects {name,
     namespace, labels, annotations}; a namespace of "" is none. */}}
{{- define "reims-health-fleet.metadata" -}}
{{- $root := .root -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "reims" -}}
{{- $own = merge $own (include "reims-health-fleet.selectorLabels" $root | fromYaml) (default dict .labels) (default dict $root.Values.commonLabels) -}}
name: {{ default (include "reims-health-fleet.fullname" $root) .name | quote }}
{{- with hasKey . "namespace" | ternary .namespace $root.Release.Namespace }}
namespace: {{ . | quote }}
{{- end }}
labels:
  {{- toYaml $own | nindent 2 }}
{{- with merge (dict) (default dict .annotations) (default dict $root.Values.commonAnnotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "reims-health-fleet.image" -}}
{{- $i := .Values.image -}}
{{- $registry := default $i.registry (default dict .Values.global).imageRegistry | trimSuffix "/" -}}
{{- $name := list $registry $i.repository | compact | join "/" -}}
{{- if $i.digest }}{{ $name }}@{{ $i.digest }}{{ else }}{{ $name }}:{{ default .Chart.AppVersion $i.tag }}{{ end }}
{{- end }}

{{- define "reims-health-fleet.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (default list (default dict .Values.global).imagePullSecrets) (default list .Values.imagePullSecrets) }}
{{- if kindIs "map" . }}{{- $names = append $names .name }}{{- else }}{{- $names = append $names . }}{{- end }}
{{- end }}
{{- range uniq $names }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
