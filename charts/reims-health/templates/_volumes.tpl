{{/* Secrets as files, in one projected volume without subPath, so that a rotation shows
     in running Pods. Each entry: {secret, items: [{key, path}]}. */}}

{{- define "reims-health.secrets.tls" -}}
{{- $items := list -}}
{{- with .Values.database.tls }}
{{- with .caKey }}{{- $items = append $items (dict "key" . "path" "database/ca.crt") }}{{- end }}
{{- with .certKey }}{{- $items = append $items (dict "key" . "path" "database/tls.crt") }}{{- end }}
{{- with .keyKey }}{{- $items = append $items (dict "key" . "path" "database/tls.key") }}{{- end }}
{{- end }}
{{- if and .Values.database.tls.existingSecret $items }}
{{- list (dict "secret" .Values.database.tls.existingSecret "items" $items) | toYaml }}
{{- else -}}
[]
{{- end }}
{{- end }}

{{- define "reims-health.secrets.database" -}}
{{- $sources := include "reims-health.secrets.tls" . | fromYamlArray -}}
{{- with .Values.database }}
{{- if .existingSecret }}{{- $sources = append $sources (dict "secret" .existingSecret "items" (list (dict "key" .passwordKey "path" "database/password"))) }}{{- end }}
{{- end }}
{{- toYaml $sources }}
{{- end }}

{{- define "reims-health.secrets.sidecar" -}}
{{- $v := .Values -}}
{{- $sources := list -}}
{{- if $v.database.host }}{{- $sources = concat $sources (include "reims-health.secrets.database" . | fromYamlArray) }}{{- end }}
{{- if and $v.redis.host $v.redis.existingSecret }}
{{- $sources = append $sources (dict "secret" $v.redis.existingSecret "items" (list (dict "key" $v.redis.passwordKey "path" "redis/password"))) }}
{{- end }}
{{- if and $v.redis.host $v.redis.tls.enabled $v.redis.tls.existingSecret }}
{{- $sources = append $sources (dict "secret" $v.redis.tls.existingSecret "items" (list (dict "key" $v.redis.tls.caKey "path" "redis/ca.crt"))) }}
{{- end }}
{{- if and $v.minio.endpoint $v.minio.existingSecret }}
{{- $items := list (dict "key" $v.minio.accessKeyKey "path" "minio/access-key") (dict "key" $v.minio.secretKeyKey "path" "minio/secret-key") }}
{{- $sources = append $sources (dict "secret" $v.minio.existingSecret "items" $items) }}
{{- end }}
{{- if and $v.minio.endpoint $v.minio.tls.enabled $v.minio.tls.existingSecret }}
{{- $sources = append $sources (dict "secret" $v.minio.tls.existingSecret "items" (list (dict "key" $v.minio.tls.caKey "path" "minio/ca.crt"))) }}
{{- end }}
{{- with $v.sidecar.token }}
{{- if .existingSecret }}{{- $sources = append $sources (dict "secret" .existingSecret "items" (list (dict "key" .key "path" "health/token"))) }}{{- end }}
{{- end }}
{{- toYaml $sources }}
{{- end }}

{{/* The migrator's own Secret takes the place of the sidecar's. */}}
{{- define "reims-health.secrets.migrate" -}}
{{- $m := .Values.migrations.database -}}
{{- if $m.existingSecret }}
{{- $item := dict "key" $m.passwordKey "path" "migrations/password" -}}
{{- if $m.urlKey }}{{- $item = dict "key" $m.urlKey "path" "migrations/url" }}{{- end }}
{{- append (include "reims-health.secrets.tls" . | fromYamlArray) (dict "secret" $m.existingSecret "items" (list $item)) | toYaml }}
{{- else }}
{{- include "reims-health.secrets.database" . }}
{{- end }}
{{- end }}

{{/* The volume; nothing where there is no source. Takes {sources, optional}. */}}
{{- define "reims-health.volumes.secrets" -}}
{{- with .sources }}
- name: reims-health-secrets
  projected:
    defaultMode: 0444
    sources:
      {{- range . }}
      - secret:
          name: {{ .secret | quote }}
          {{- if $.optional }}
          optional: true
          {{- end }}
          items:
            {{- toYaml .items | nindent 12 }}
      {{- end }}
{{- end }}
{{- end }}

{{/* Secrets are optional here: one that is missing fails its own service, with a reason,
     and never keeps the whole Pod from starting. */}}
{{- define "reims-health.volumes" -}}
{{- include "reims-health.volumes.secrets" (dict "sources" (include "reims-health.secrets.sidecar" . | fromYamlArray) "optional" true) }}
{{- /* In memory, so that it neither waits for a disk nor keeps the cluster autoscaler from
       removing the node. */}}
- name: reims-health-state
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- if .Values.breakGlass.enabled }}
- name: reims-health-break-glass
  configMap:
    name: {{ include "reims-health.breakGlass.configMap" . | quote }}
    optional: true
{{- end }}
{{- if include "reims-health.reports" . }}
- name: reims-health-token
  projected:
    defaultMode: 0444
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                apiVersion: v1
                fieldPath: metadata.namespace
{{- end }}
{{- end }}

{{- define "reims-health.volumeMounts.secrets" -}}
- name: reims-health-secrets
  mountPath: {{ include "reims-health.secretsDir" . }}
  readOnly: true
{{- end }}

{{- define "reims-health.volumeMounts" -}}
{{- if include "reims-health.secrets.sidecar" . | fromYamlArray }}
{{ include "reims-health.volumeMounts.secrets" . }}
{{- end }}
- name: reims-health-state
  mountPath: {{ include "reims-health.stateDir" . }}
{{- if .Values.breakGlass.enabled }}
- name: reims-health-break-glass
  mountPath: {{ include "reims-health.breakGlassDir" . }}
  readOnly: true
{{- end }}
{{- if include "reims-health.reports" . }}
- name: reims-health-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- with .Values.sidecar.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}
