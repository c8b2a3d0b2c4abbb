{{- define "reims-health.service.database" -}}
{{- $db := .Values.database -}}
{{- $tls := $db.tls -}}
{{- $keys := or $tls.caKey $tls.certKey $tls.keyKey -}}
{{- $p := list -}}
{{- if and $keys (not $tls.existingSecret) }}
{{- $p = append $p "database.tls names keys and no Secret: set database.tls.existingSecret." }}
{{- end }}
{{- if and $tls.existingSecret (not $keys) }}
{{- $p = append $p "database.tls.existingSecret is set and no key of it, so it would not be used: set database.tls.caKey, or certKey and keyKey." }}
{{- end }}
{{- if ne (empty $tls.certKey) (empty $tls.keyKey) }}
{{- $p = append $p "database.tls.certKey and database.tls.keyKey go together: set both or none." }}
{{- end -}}
title: the database
address: host
port: {{ int $db.port }}
variables:
  HOST: host
  PORT: port
  NAME: name
  USER: user
  SSLMODE: sslMode
serve:
  {{- if $db.host }}
  SCHEMA_CHECK: {{ include "reims-health.schemaCheck" . | quote }}
  APP_CONNECTIONS: {{ ternary "on" "off" $db.appConnections | quote }}
  {{- if $db.allowReplica }}
  ALLOW_REPLICA: "on"
  {{- end }}
  {{- if eq $db.readiness "strict" }}
  READINESS_GRACE: {{ toJson $db.readinessGrace }}
  {{- end }}
  {{- end }}
secrets:
  - secret: tls.existingSecret
    items:
      - {key: tls.caKey, file: ca.crt, variable: SSLROOTCERT}
      {{- if and $tls.certKey $tls.keyKey }}
      - {key: tls.certKey, file: tls.crt, variable: SSLCERT}
      - {key: tls.keyKey, file: tls.key, variable: SSLKEY}
      {{- end }}
  - secret: existingSecret
    items:
      - {key: passwordKey, file: password, variable: PASSWORD_FILE}
names: [name, user]
problems: {{ toJson $p }}
{{- end }}
