{{/* What the alerts go by. The operator sets namespace and pod itself, and as job its own name,
     which no rule can know. */}}
{{- define "reims-health.relabelings" -}}
- targetLabel: job
  replacement: reims-health
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
{{- end }}

{{/* A file of rules with the thresholds of the values, as files/thresholds.yaml says where they are.
     Takes {root, name, text}. */}}
{{- define "reims-health.rules.text" -}}
{{- $c := . -}}
{{- $text := .text -}}
{{- range $key, $threshold := .root.Files.Get "files/thresholds.yaml" | fromYaml }}
{{- $value := get $c.root.Values.monitoring.prometheusRule.thresholds $key }}
{{- if ne (float64 $value) (float64 $threshold.default) }}
{{- range get $threshold.in $c.name | default list }}
{{- $text = replace (include "reims-health.rules.fill" (dict "text" . "number" $threshold.default)) (include "reims-health.rules.fill" (dict "text" . "number" $value)) $text }}
{{- end }}
{{- end }}
{{- end }}
{{- $text }}
{{- end }}

{{/* One of these texts with a number. Takes {text, number}. */}}
{{- define "reims-health.rules.fill" -}}
{{- $text := .text -}}
{{- range $mark, $number := dict "{}" .number "{percent}" (mulf .number 100) "{+}" (addf .number 0.5) "{-}" (subf .number 0.5) }}
{{- $text = replace $mark (include "reims-health.number" $number) $text }}
{{- end }}
{{- $text }}
{{- end }}

{{/* The URL of the dashboard of an alert's service, as Prometheus' own template. */}}
{{- define "reims-health.dashboardURL" -}}
{{- $own := list -}}
{{- range $path, $_ := .Files.Glob "files/dashboards/*.json" }}
{{- $name := trimSuffix ".json" (base $path) }}
{{- if not (has $name (list "overview" "service")) }}{{- $own = append $own $name }}{{- end }}
{{- end -}}
{{ .Values.monitoring.prometheusRule.grafanaURL }}/d/reims-health-{{ printf `{{ with $labels.service }}{{ if match "^(%s)$" . }}{{ . }}{{ else }}service{{ end }}{{ else }}overview{{ end }}` (join "|" $own) }}?var-namespace={{ `{{ with $labels.namespace }}{{ . }}{{ else }}$__all{{ end }}{{ with $labels.service }}&var-service={{ . }}{{ end }}{{ with $externalLabels.cluster }}&var-cluster={{ . }}{{ end }}` }}
{{- end }}
