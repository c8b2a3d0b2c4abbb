{{/* What the alerts go by. The operator sets namespace and pod itself, and as job its own name,
     which no rule can know. */}}
{{- define "reims-health.relabelings" -}}
- targetLabel: job
  replacement: reims-health
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
{{- end }}
