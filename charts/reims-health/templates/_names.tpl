{{/* Names and labels. Every template takes this chart's own context: within it that is
     ".", from an application's chart it is (index .Subcharts "reims-health"). */}}

{{- define "reims-health.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 55 | trimAll "-" }}
{{- end }}

{{/* Short enough for every suffix, and without the dots that a release may have. Under an
     alias, which Helm makes the chart's name, a release's name alone never does: it may hold
     another alias as well. */}}
{{- define "reims-health.fullname" -}}
{{- $name := include "reims-health.name" . -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride }}
{{- $full = .Values.fullnameOverride }}
{{- else if and (eq .Chart.Name "reims-health") (contains (printf "-%s-" $name) (printf "-%s-" .Release.Name)) }}
{{- $full = .Release.Name }}
{{- end }}
{{- $full = $full | replace "." "-" }}
{{- /* Two long names that begin alike stay two. */}}
{{- if gt (len $full) 52 }}{{- $full = printf "%s-%s" (trunc 43 $full | trimAll "-") (sha256sum $full | trunc 8) }}{{- end }}
{{- $full | trimAll "-" }}
{{- end }}

{{/* The namespace of every object. An application's Pod must be in it as well: Service, Secrets and
     rights are found in their own namespace alone. */}}
{{- define "reims-health.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* The annotations of an object, if it has any, as a block of its metadata: its own win over those of
     all objects. Takes {root, own}. */}}
{{- define "reims-health.annotations" -}}
{{- $all := merge (dict) (default dict .own) (default dict .root.Values.commonAnnotations) }}
{{- if $all }}
  annotations:
    {{- toYaml $all | nindent 4 }}
{{- end }}
{{- end }}

{{/* Whether this chart makes the Pods' ServiceAccount: where the Pods or their rights are its own. */}}
{{- define "reims-health.makesServiceAccount" -}}
{{- if and .Values.enabled .Values.serviceAccount.create (or .Values.api.enabled .Values.reporting.enabled) }}true{{ end }}
{{- end }}

{{/* Never one that nobody makes: no Pod would be admitted. */}}
{{- define "reims-health.serviceAccountName" -}}
{{- if include "reims-health.makesServiceAccount" . }}
{{- default (include "reims-health.fullname" .) .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
default
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "reims-health.breakGlass.configMap" -}}
{{- default (printf "%s-break-glass" (include "reims-health.fullname" .)) .Values.breakGlass.configMap }}
{{- end }}

{{- define "reims-health.selectorLabels" -}}
app.kubernetes.io/name: {{ include "reims-health.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* Labels that are no selector. Takes {root, name}. */}}
{{- define "reims-health.labelsFor" -}}
{{- $root := .root -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
  "app.kubernetes.io/name" .name
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/version" ($root.Chart.AppVersion | replace "+" "_" | trunc 63)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "app.kubernetes.io/part-of" "reims" -}}
{{- toYaml (merge $own (default dict $root.Values.commonLabels)) }}
{{- end }}

{{- define "reims-health.labels" -}}
{{- include "reims-health.labelsFor" (dict "root" . "name" (include "reims-health.name" .)) }}
{{- end }}

{{/* The name that labels the Pod of helm test, which no selector knows. */}}
{{- define "reims-health.test.name" -}}
{{- printf "%s-test" (include "reims-health.name" .) }}
{{- end }}

{{/* The label by which the PodMonitor finds a Pod with our sidecar, in any chart. */}}
{{- define "reims-health.podLabels" -}}
reims.io/sidecar: {{ include "reims-health.fullname" . | quote }}
{{- end }}

{{- define "reims-health.image" -}}
{{- $i := .Values.image -}}
{{- $registry := default $i.registry (default dict .Values.global).imageRegistry | trimSuffix "/" -}}
{{- $name := list $registry $i.repository | compact | join "/" -}}
{{- if $i.digest }}{{ $name }}@{{ $i.digest }}{{ else }}{{ $name }}:{{ default .Chart.AppVersion $i.tag }}{{ end }}
{{- end }}

{{- define "reims-health.api.image" -}}
{{- $i := .Values.api.image -}}
{{- if $i.digest }}{{ $i.repository }}@{{ $i.digest }}{{ else }}{{ $i.repository }}:{{ $i.tag }}{{ end }}
{{- end }}

{{- define "reims-health.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (default list (default dict .Values.global).imagePullSecrets) (default list .Values.imagePullSecrets) }}
{{- if kindIs "map" . }}{{- $names = append $names .name }}{{- else }}{{- $names = append $names . }}{{- end }}
{{- end }}
{{- if $names -}}
imagePullSecrets:
{{- range uniq $names }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The mode that the values choose; empty where they leave it open and the API is elsewhere: then
     this chart does not know whose database it is. YAML 1.1 reads an unquoted off as false. */}}
{{- define "reims-health.migrations.chosen" -}}
{{- $mode := .Values.migrations.mode -}}
{{- if kindIs "bool" $mode }}off{{ else if $mode }}{{ $mode }}{{ else if .Values.api.enabled }}hook{{ end }}
{{- end }}

{{/* The mode in effect. It is off where nothing that migrations need is rendered. */}}
{{- define "reims-health.migrations.mode" -}}
{{- ternary (include "reims-health.migrations.chosen" . | default "off") "off" .Values.enabled }}
{{- end }}

{{/* Whether the database's schema is compared: as migrations.mode says, unless it is set. */}}
{{- define "reims-health.schemaCheck" -}}
{{- $check := .Values.database.schemaCheck -}}
{{- if kindIs "invalid" $check }}{{- $check = ne (include "reims-health.migrations.mode" .) "off" }}{{- end }}
{{- ternary "on" "off" (eq (toString $check) "true") }}
{{- end }}

{{/* Whether the sidecar may write to its Pod: not without the rights. */}}
{{- define "reims-health.reports" -}}
{{- if and .Values.enabled .Values.reporting.enabled }}true{{ end }}
{{- end }}

{{- define "reims-health.details" -}}
{{- toString .Values.sidecar.details | replace "false" "off" }}
{{- end }}
