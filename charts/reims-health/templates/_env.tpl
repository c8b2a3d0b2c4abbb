{{/* Environment. Each of these gives a dict, as YAML, of variables that are set: a text,
     or a map with valueFrom. As keys of a dict, no two can have the same name. */}}

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

{{/* What every program that connects to the service reads. Takes {root, name}. */}}
{{- define "reims-health.env.service" -}}
{{- (include "reims-health.service" . | fromJson).env | toYaml }}
{{- end }}

{{/* The variables NAME_PROBE_… and NAME_READINESS of one service. Takes {name, values}. */}}
{{- define "reims-health.env.verdict" -}}
{{- $prefix := upper .name | replace "-" "_" -}}
{{- $env := dict -}}
{{- with .values.readiness }}{{- $_ := set $env (printf "%s_READINESS" $prefix) . }}{{- end }}
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
{{- /* YAML 1.1 reads an unquoted off as false. */}}
{{- $docs := toString (default "" $v.sidecar.docsURL) }}
{{- if and (kindIs "bool" $v.sidecar.docsURL) (not $v.sidecar.docsURL) }}{{- $docs = "off" }}{{- end }}
{{- with $docs }}{{- $_ := set $env "HEALTH_DOCS_URL" . }}{{- end }}
{{- $page := toString (default "" $v.sidecar.pageDetails) }}
{{- /* Who lets answers tell nothing has not asked for a page that tells all. */}}
{{- if and (kindIs "invalid" $v.sidecar.pageDetails) (ne (include "reims-health.details" .) "off") }}{{- $page = "full" }}{{- end }}
{{- if and (kindIs "bool" $v.sidecar.pageDetails) (not $v.sidecar.pageDetails) }}{{- $page = "off" }}{{- end }}
{{- with $page }}{{- $_ := set $env "HEALTH_PAGE_DETAILS" . }}{{- end }}
{{- if $v.breakGlass.enabled }}{{- $_ := set $env "HEALTH_OVERRIDE_FILE" (printf "%s/readiness" (include "reims-health.breakGlassDir" .)) }}{{- end }}
{{- if include "reims-health.reports" . }}
{{- $_ := set $env "HEALTH_POD_REPORTING" "on" }}
{{- $_ := set $env "POD_NAME" (include "reims-health.env.field" "metadata.name" | fromYaml) }}
{{- $_ := set $env "POD_NAMESPACE" (include "reims-health.env.field" "metadata.namespace" | fromYaml) }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{- define "reims-health.env.sidecar" -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.sidecar.resources) | fromYaml -}}
{{- $env = merge $env (include "reims-health.env.serve" . | fromYaml) (include "reims-health.env.peers" . | fromYaml) (include "reims-health.env.tls" . | fromYaml) -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- if .watched }}
{{- $env = merge $env .serve .env (include "reims-health.env.verdict" (dict "name" .name "values" .values) | fromYaml) }}
{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* For wait --for=schema: the database, as the sidecar sees it. */}}
{{- define "reims-health.env.wait" -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.sidecar.resources) | fromYaml -}}
{{- merge $env (include "reims-health.env.service" (dict "root" . "name" "database") | fromYaml) | toYaml }}
{{- end }}

{{- define "reims-health.env.migrate" -}}
{{- $m := .Values.migrations.database -}}
{{- $dir := include "reims-health.secretsDir" . -}}
{{- $env := include "reims-health.env.common" (dict "root" . "resources" .Values.migrations.resources) | fromYaml -}}
{{- $env = merge $env (include "reims-health.env.service" (dict "root" . "name" "database") | fromYaml) -}}
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
