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
{{- toYaml $p }}
{{- end }}
