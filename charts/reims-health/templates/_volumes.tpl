{{/* Secrets as files, in one projected volume without subPath, so that a rotation shows
     in running Pods. Each entry: {secret, items: [{key, path}]}. */}}

{{/* Those of one service. Takes {root, name}. */}}
{{- define "reims-health.secrets.service" -}}
{{- (include "reims-health.service" . | fromJson).secrets | toYaml }}
{{- end }}

{{- define "reims-health.secrets.sidecar" -}}
{{- $v := .Values -}}
{{- $sources := list -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- if .watched }}{{- $sources = concat $sources .secrets }}{{- end }}
{{- end }}
{{- with $v.sidecar.token }}
{{- if .existingSecret }}{{- $sources = append $sources (dict "secret" .existingSecret "items" (list (dict "key" .key "path" "health/token"))) }}{{- end }}
{{- end }}
{{- with $v.sidecar.tls.existingSecret }}{{- $sources = append $sources (dict "secret" . "items" (include "reims-health.tls.items" $ | fromYamlArray)) }}{{- end }}
{{- toYaml $sources }}
{{- end }}

{{/* The migrator's own Secret takes the place of the one with the sidecar's password. */}}
{{- define "reims-health.secrets.migrate" -}}
{{- $m := .Values.migrations.database -}}
{{- $sources := include "reims-health.secrets.service" (dict "root" . "name" "database") | fromYamlArray -}}
{{- if $m.existingSecret }}
{{- $item := dict "key" $m.passwordKey "path" "migrations/password" -}}
{{- if $m.urlKey }}{{- $item = dict "key" $m.urlKey "path" "migrations/url" }}{{- end }}
{{- $kept := list -}}
{{- range $sources }}{{- if ne .value "database.existingSecret" }}{{- $kept = append $kept . }}{{- end }}{{- end }}
{{- append $kept (dict "secret" $m.existingSecret "items" (list $item)) | toYaml }}
{{- else }}
{{- toYaml $sources }}
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
