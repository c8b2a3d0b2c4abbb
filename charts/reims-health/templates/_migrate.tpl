{{/* A name of its own, so that no Service, budget, policy or monitor selects its Pods. */}}
{{- define "reims-health.migrate.labels" -}}
{{- include "reims-health.labelsFor" (dict "root" . "name" (printf "%s-migrate" (include "reims-health.name" .))) }}
{{- end }}

{{/* No ServiceAccount of this chart: a hook runs before the release has one. */}}
{{- define "reims-health.migrate.pod" -}}
{{- $v := .Values -}}
metadata:
  labels:
    {{- include "reims-health.migrate.labels" . | nindent 4 }}
  {{- with $v.migrations.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with include "reims-health.imagePullSecrets" . }}
  {{- . | nindent 2 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: migrate
      image: {{ include "reims-health.image" . | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [migrate, up]
      terminationMessagePolicy: FallbackToLogsOnError
      env:
        {{- include "reims-health.env.list" (dict "env" (include "reims-health.env.migrate" . | fromYaml) "extra" $v.migrations.extraEnv) | nindent 8 }}
      {{- with $v.migrations.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml $v.sidecar.securityContext | nindent 8 }}
      {{- $sources := include "reims-health.secrets.migrate" . | fromYamlArray }}
      {{- if or $sources $v.migrations.volumeMounts }}
      volumeMounts:
        {{- if $sources }}
        {{- include "reims-health.volumeMounts.secrets" . | nindent 8 }}
        {{- end }}
        {{- with $v.migrations.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
  {{- /* Optional: a Secret that is missing fails the program at once, with its name; the
         kubelet would wait for it. */}}
  {{- if or $sources $v.migrations.volumes }}
  volumes:
    {{- with include "reims-health.volumes.secrets" (dict "sources" $sources "optional" true) | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with $v.migrations.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with $v.migrations.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with $v.migrations.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.migrations.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.migrations.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
