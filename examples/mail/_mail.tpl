{{- define "reims-health.service.mail" -}}
title: the mail server
address: host
port: {{ int .Values.mail.port }}
variables:
  HOST: host
  PORT: port
  TLS: tls.enabled
{{- end }}
