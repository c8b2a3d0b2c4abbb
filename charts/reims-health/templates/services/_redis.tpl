{{- define "reims-health.service.redis" -}}
title: Redis
address: host
port: {{ int .Values.redis.port }}
variables:
  HOST: host
  PORT: port
  DB: db
  USERNAME: username
  TLS: tls.enabled
  ALLOW_REPLICA: allowReplica
secrets:
  - secret: existingSecret
    items:
      - {key: passwordKey, file: password, variable: PASSWORD_FILE}
  - secret: tls.existingSecret
    needs: tls.enabled
    items:
      - {key: tls.caKey, file: ca.crt, variable: CA_FILE}
names: [username]
{{- end }}
