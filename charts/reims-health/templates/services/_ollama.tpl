{{- define "reims-health.service.ollama" -}}
{{- $host := .Values.ollama.host | default "" -}}
{{- /* A URL with a login comes from a Secret, and takes the place of the value. */}}
{{- $fromSecret := false -}}
{{- range .Values.sidecar.extraEnv }}
{{- if and (eq (toString .name) "OLLAMA_HOST") .valueFrom }}{{- $fromSecret = true }}{{- end }}
{{- end }}
{{- $default := "11434" -}}
{{- if hasPrefix "https://" $host }}{{- $default = "443" }}{{- else if hasPrefix "http://" $host }}{{- $default = "80" }}{{- end -}}
title: Ollama
address: host
port: {{ regexFind ":[0-9]+/?$" $host | trimPrefix ":" | trimSuffix "/" | default $default | int }}
variables:
  {{- if not $fromSecret }}
  HOST: host
  {{- end }}
  REQUIRED_MODELS: requiredModels
  INFERENCE_MODEL: inferenceModel
{{- if contains "@" $host }}
problems:
  - "ollama.host holds a login, and everybody who may read the Deployment would see it: leave it out there, and set OLLAMA_HOST with the login in sidecar.extraEnv, with valueFrom.secretKeyRef."
{{- end }}
{{- end }}
