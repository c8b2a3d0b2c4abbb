{{/* Environment. Each of these gives a dict, as YAML, of variables that are set: a text,
     or a map with valueFrom. As keys of a dict, no two can have the same name. */}}

{{- define "reims-health.services" -}}
{{- $names := list -}}
{{- if .Values.database.host }}{{- $names = append $names "database" }}{{- end }}
{{- if .Values.redis.host }}{{- $names = append $names "redis" }}{{- end }}
{{- if .Values.minio.endpoint }}{{- $names = append $names "minio" }}{{- end }}
{{- if .Values.ollama.host }}{{- $names = append $names "ollama" }}{{- end }}
{{- join "," $names }}
{{- end }}

{{/* The folders that secrets, the break-glass file and the state are mounted in. */}}
{{- define "reims-health.secretsDir" -}}/etc/reims-health/secrets{{- end }}
{{- define "reims-health.breakGlassDir" -}}/etc/reims-health/break-glass{{- end }}
{{- define "reims-health.stateDir" -}}/run/reims-health{{- end }}

{{/* What every command of ours reads. Takes {root, resources}. */}}
{{- define "reims-health.env.common" -}}
{{- $env := dict "ENVIRONMENT" .root.Values.environment "LOG_LEVEL" .root.Values.sidecar.logLevel "LOG_FORMAT" "json" -}}
{{- with include "reims-health.gomemlimit" .resources }}{{- $_ := set $env "GOMEMLIMIT" . }}{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.database" -}}
{{- $db := .Values.database -}}
{{- $dir := include "reims-health.secretsDir" . -}}
{{- $env := dict "DATABASE_PORT" (int64 $db.port | toString) "DATABASE_NAME" $db.name "DATABASE_USER" $db.user -}}
{{- with $db.host }}{{- $_ := set $env "DATABASE_HOST" . }}{{- end }}
{{- with $db.sslMode }}{{- $_ := set $env "DATABASE_SSLMODE" . }}{{- end }}
{{- if $db.existingSecret }}{{- $_ := set $env "DATABASE_PASSWORD_FILE" (printf "%s/database/password" $dir) }}{{- end }}
{{- if and $db.tls.existingSecret $db.tls.caKey }}{{- $_ := set $env "DATABASE_SSLROOTCERT" (printf "%s/database/ca.crt" $dir) }}{{- end }}
{{- if and $db.tls.existingSecret $db.tls.certKey }}
{{- $_ := set $env "DATABASE_SSLCERT" (printf "%s/database/tls.crt" $dir) }}
{{- $_ := set $env "DATABASE_SSLKEY" (printf "%s/database/tls.key" $dir) }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.redis" -}}
{{- $r := .Values.redis -}}
{{- $dir := include "reims-health.secretsDir" . -}}
{{- $env := dict "REDIS_HOST" $r.host "REDIS_PORT" (int64 $r.port | toString) "REDIS_DB" (int64 $r.db | toString) -}}
{{- with $r.username }}{{- $_ := set $env "REDIS_USERNAME" . }}{{- end }}
{{- if $r.existingSecret }}{{- $_ := set $env "REDIS_PASSWORD_FILE" (printf "%s/redis/password" $dir) }}{{- end }}
{{- if $r.tls.enabled }}{{- $_ := set $env "REDIS_TLS" "on" }}{{- end }}
{{- if and $r.tls.enabled $r.tls.existingSecret }}{{- $_ := set $env "REDIS_CA_FILE" (printf "%s/redis/ca.crt" $dir) }}{{- end }}
{{- if $r.allowReplica }}{{- $_ := set $env "REDIS_ALLOW_REPLICA" "on" }}{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.minio" -}}
{{- $m := .Values.minio -}}
{{- $dir := include "reims-health.secretsDir" . -}}
{{- $env := dict "MINIO_ENDPOINT" $m.endpoint
  "MINIO_ACCESS_KEY_FILE" (printf "%s/minio/access-key" $dir) "MINIO_SECRET_KEY_FILE" (printf "%s/minio/secret-key" $dir) -}}
{{- with $m.buckets }}{{- $_ := set $env "MINIO_BUCKETS" (join "," .) }}{{- end }}
{{- if $m.tls.enabled }}{{- $_ := set $env "MINIO_SECURE" "on" }}{{- end }}
{{- if and $m.tls.enabled $m.tls.existingSecret }}{{- $_ := set $env "MINIO_CA_FILE" (printf "%s/minio/ca.crt" $dir) }}{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.ollama" -}}
{{- $o := .Values.ollama -}}
{{- $env := dict "OLLAMA_HOST" $o.host -}}
{{- /* One with a login comes from a Secret. */}}
{{- range .Values.sidecar.extraEnv }}
{{- if and (eq (toString .name) "OLLAMA_HOST") .valueFrom }}{{- $_ := unset $env "OLLAMA_HOST" }}{{- end }}
{{- end }}
{{- with $o.requiredModels }}{{- $_ := set $env "OLLAMA_REQUIRED_MODELS" (join "," .) }}{{- end }}
{{- with $o.inferenceModel }}{{- $_ := set $env "OLLAMA_INFERENCE_MODEL" . }}{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* The variables NAME_PROBE_… and NAME_READINESS of one service. Takes {name, values}. */}}
{{- define "reims-health.env.verdict" -}}
{{- $prefix := upper .name -}}
{{- $env := dict (printf "%s_READINESS" $prefix) .values.readiness -}}
{{- range $key, $value := .values.probe }}
{{- if not (kindIs "invalid" $value) }}
{{- $_ := set $env (printf "%s_PROBE_%s" $prefix (snakecase $key | upper)) (toString $value) }}
{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* A field of the Pod, by the downward API. Takes its path. */}}
{{- define "reims-health.env.field" -}}
{{- dict "valueFrom" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" .)) | toYaml }}
{{- end }}

{{/* What only the sidecar's own process is told. */}}
{{- define "reims-health.env.serve" -}}
{{- $v := .Values -}}
{{- $env := dict
  "HEALTH_ADDR" (printf ":%d" (int $v.sidecar.ports.health))
  "METRICS_ADDR" (printf ":%d" (int $v.sidecar.ports.metrics))
  "HEALTH_SERVICES" (include "reims-health.services" .)
  "HEALTH_DETAILS" (include "reims-health.details" .)
  "HEALTH_STATE_FILE" (printf "%s/state.json" (include "reims-health.stateDir" .))
  "POD_UID" (include "reims-health.env.field" "metadata.uid" | fromYaml) -}}
{{- if $v.sidecar.token.existingSecret }}{{- $_ := set $env "HEALTH_TOKEN_FILE" (printf "%s/health/token" (include "reims-health.secretsDir" .)) }}{{- end }}
{{- with $v.sidecar.allowedOrigins }}{{- $_ := set $env "HEALTH_ALLOWED_ORIGINS" (join "," .) }}{{- end }}
{{- if $v.breakGlass.enabled }}{{- $_ := set $env "HEALTH_OVERRIDE_FILE" (printf "%s/readiness" (include "reims-health.breakGlassDir" .)) }}{{- end }}
{{- if include "reims-health.reports" . }}
{{- $_ := set $env "HEALTH_POD_REPORTING" "on" }}
{{- $_ := set $env "POD_NAME" (include "reims-health.env.field" "metadata.name" | fromYaml) }}
{{- $_ := set $env "POD_NAMESPACE" (include "reims-health.env.field" "metadata.namespace" | fromYaml) }}
{{- end }}
{{- if $v.database.host }}
{{- $_ := set $env "DATABASE_SCHEMA_CHECK" (ternary "on" "off" $v.database.schemaCheck) }}
{{- $_ := set $env "DATABASE_APP_CONNECTIONS" (ternary "on" "off" $v.database.appConnections) }}
{{- if $v.database.allowReplica }}{{- $_ := set $env "DATABASE_ALLOW_REPLICA" "on" }}{{- end }}
{{- if eq $v.database.readiness "strict" }}{{- $_ := set $env "DATABASE_READINESS_GRACE" $v.database.readinessGrace }}{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.sidecar" -}}
{{- $root := . -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.sidecar.resources) | fromYaml -}}
{{- $env = merge $env (include "reims-health.env.serve" . | fromYaml) -}}
{{- range $name := include "reims-health.services" . | splitList "," | compact }}
{{- $env = merge $env (include (printf "reims-health.env.%s" $name) $root | fromYaml) }}
{{- $env = merge $env (include "reims-health.env.verdict" (dict "name" $name "values" (get $root.Values $name)) | fromYaml) }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* For wait --for=schema: the database, as the sidecar sees it. */}}
{{- define "reims-health.env.wait" -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.sidecar.resources) | fromYaml -}}
{{- merge $env (include "reims-health.env.database" . | fromYaml) | toYaml }}
{{- end }}

{{- define "reims-health.env.migrate" -}}
{{- $m := .Values.migrations.database -}}
{{- $dir := include "reims-health.secretsDir" . -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.migrations.resources) | fromYaml -}}
{{- $env = merge $env (include "reims-health.env.database" . | fromYaml) -}}
{{- /* The rest of the Job's time is for the image, and for the last words. */}}
{{- $_ := set $env "MIGRATE_RETRY_FOR" (printf "%ds" (div (mul (int64 .Values.migrations.activeDeadlineSeconds) 9) 10)) }}
{{- $secrets := list -}}
{{- range include "reims-health.secrets.migrate" . | fromYamlArray }}{{- $secrets = append $secrets .secret }}{{- end }}
{{- with $secrets }}{{- $_ := set $env "MIGRATE_SECRET" (uniq . | join " or ") }}{{- end }}
{{- with $m.host }}{{- $_ := set $env "DATABASE_HOST" . }}{{- end }}
{{- with $m.port }}{{- $_ := set $env "DATABASE_PORT" (int64 . | toString) }}{{- end }}
{{- with $m.user }}{{- $_ := set $env "DATABASE_USER" . }}{{- end }}
{{- if and $m.existingSecret $m.urlKey }}
{{- $env = omit $env "DATABASE_PASSWORD_FILE" }}
{{- $_ := set $env "DATABASE_MIGRATION_URL_FILE" (printf "%s/migrations/url" $dir) }}
{{- else if $m.existingSecret }}
{{- $_ := set $env "DATABASE_PASSWORD_FILE" (printf "%s/migrations/password" $dir) }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* The list of a container: ours in order of name, then the user's. Takes {env, extra}. */}}
{{- define "reims-health.env.list" -}}
{{- $list := list -}}
{{- range $name, $value := .env }}
{{- if kindIs "map" $value }}
{{- $list = append $list (merge (dict "name" $name) $value) }}
{{- else }}
{{- $list = append $list (dict "name" $name "value" $value) }}
{{- end }}
{{- end }}
{{- concat $list (default list .extra) | toYaml }}
{{- end }}
