{{- define "reims-health.service.minio" -}}
{{- $m := .Values.minio -}}
title: MinIO
address: endpoint
port: {{ regexFind ":[0-9]+$" (toString $m.endpoint) | trimPrefix ":" | default (ternary "443" "80" $m.tls.enabled) | int }}
variables:
  ENDPOINT: endpoint
  BUCKETS: buckets
  SECURE: tls.enabled
secrets:
  - secret: existingSecret
    items:
      - {key: accessKeyKey, file: access-key, variable: ACCESS_KEY_FILE}
      - {key: secretKeyKey, file: secret-key, variable: SECRET_KEY_FILE}
  - secret: tls.existingSecret
    needs: tls.enabled
    items:
      - {key: tls.caKey, file: ca.crt, variable: CA_FILE}
{{- if and $m.endpoint (not $m.existingSecret) }}
problems:
  - "minio.endpoint is set and minio.existingSecret is not: the sidecar would log in as minioadmin, MinIO's public default. Name a Secret with the keys."
{{- end }}
{{- end }}
