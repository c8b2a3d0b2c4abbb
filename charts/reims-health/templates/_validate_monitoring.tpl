{{/* A misspelt name would leave the alert on, and nobody would know until it fires. The
     records are no alert: all alerts and dashboards need them. */}}
{{- define "reims-health.problems.monitoring" -}}
{{- $p := list -}}
{{- $known := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/ReimsHealth*.yaml" }}
{{- $known = append $known (trimSuffix ".yaml" (base $path)) }}
{{- end }}
{{- $unknown := list -}}
{{- range .Values.monitoring.prometheusRule.exclude }}
{{- if not (has . $known) }}{{- $unknown = append $unknown . }}{{- end }}
{{- end }}
{{- with $unknown }}
{{- $p = append $p (printf "monitoring.prometheusRule.exclude names what is no alert of this chart: %s. Its alerts are %s." (join ", " .) (join ", " $known)) }}
{{- end }}
{{- $m := .Values.monitoring -}}
{{- if and $m.podMonitor.enabled $m.serviceMonitor.enabled }}
{{- $p = append $p "monitoring.podMonitor and monitoring.serviceMonitor are both enabled, so Prometheus would scrape each sidecar twice: leave one of them out." }}
{{- end }}
{{- if and $m.serviceMonitor.enabled (not .Values.api.enabled) }}
{{- $p = append $p "monitoring.serviceMonitor needs the Service of this chart, which it makes only where it runs the API (api.enabled): set monitoring.podMonitor.enabled instead." }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* Kubernetes says of an object without these fields only that it cannot tell what it is. */}}
{{- define "reims-health.problems.extraObjects" -}}
{{- $p := list -}}
{{- range $i, $object := .Values.extraObjects }}
{{- $text := tpl (ternary $object (toYaml $object) (kindIs "string" $object)) $ }}
{{- $read := fromYaml $text }}
{{- $metadata := get $read "metadata" }}
{{- if not (regexReplaceAll "(?m)^\\s*(#.*|---.*)?$" $text "" | trim) }}{{- /* a condition in it does not hold */}}
{{- else if $read.Error }}
{{- $p = append $p (printf "extraObjects[%d] is no object in YAML. Write one object per entry, with apiVersion, kind and metadata.name." $i) }}
{{- else if not (and $read.apiVersion $read.kind (kindIs "map" $metadata) (get (ternary $metadata dict (kindIs "map" $metadata)) "name")) }}
{{- $p = append $p (printf "extraObjects[%d] needs apiVersion, kind and metadata.name, such as {apiVersion: v1, kind: ConfigMap, metadata: {name: example}}." $i) }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}
