{{/*
The sidecar, for this chart and for an application's own:

  {{- $health := index .Subcharts "reims-health" }}
  initContainers:
    {{- include "reims-health.initContainers" $health | nindent 4 }}
  containers:
    {{- include "reims-health.containers" $health | nindent 4 }}
  volumes:
    {{- include "reims-health.volumes" $health | nindent 4 }}

reims-health.sidecar is the container alone. Each gives a list, maybe an empty one, and fails
on values that would hurt.
*/}}

{{- define "reims-health.sidecar" -}}
{{- include "reims-health.validate" . -}}
{{- $v := .Values -}}
- name: reims-health
  image: {{ include "reims-health.image" . | quote }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  args: [serve]
  {{- if eq $v.sidecar.mode "native" }}
  restartPolicy: Always
  {{- end }}
  env:
    {{- include "reims-health.env.list" (dict "env" (include "reims-health.env.sidecar" . | fromYaml) "extra" $v.sidecar.extraEnv) | nindent 4 }}
  ports:
    - name: health
      containerPort: {{ int64 $v.sidecar.ports.health }}
      protocol: TCP
    - name: metrics
      containerPort: {{ int64 $v.sidecar.ports.metrics }}
      protocol: TCP
  terminationMessagePolicy: FallbackToLogsOnError
  {{- /* Started and alive are about this process alone, so that nothing waits for a dependency.
         One that is frozen ignores SIGTERM: it is killed after the 5 s in which it would have
         ended, not after the Pod's grace. */}}
  startupProbe:
    httpGet:
      path: /health/live
      port: {{ int64 $v.sidecar.ports.health }}
      {{- with include "reims-health.tls.probe" . }}
      {{ . }}
      {{- end }}
    {{- include "reims-health.timing" $v.sidecar.probes.startup | nindent 4 }}
    terminationGracePeriodSeconds: 5
  livenessProbe:
    httpGet:
      path: /health/live
      port: {{ int64 $v.sidecar.ports.health }}
      {{- with include "reims-health.tls.probe" . }}
      {{ . }}
      {{- end }}
    {{- include "reims-health.timing" $v.sidecar.probes.liveness | nindent 4 }}
    terminationGracePeriodSeconds: 5
  {{- if $v.readiness.gatesTraffic }}
  readinessProbe:
    httpGet:
      path: /health/ready
      port: {{ int64 $v.sidecar.ports.health }}
      {{- with include "reims-health.tls.probe" . }}
      {{ . }}
      {{- end }}
    {{- include "reims-health.timing" $v.sidecar.probes.readiness | nindent 4 }}
  {{- end }}
  {{- with $v.sidecar.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $v.sidecar.securityContext | nindent 4 }}
  {{- with include "reims-health.volumeMounts" . | trim }}
  volumeMounts:
    {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Holds the application back until the Job of the same release has migrated. */}}
{{- define "reims-health.waitForSchema" -}}
{{- if eq (include "reims-health.migrations.mode" .) "job" -}}
- name: wait-for-schema
  image: {{ include "reims-health.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  args: [wait, --for=schema]
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    {{- include "reims-health.env.list" (dict "env" (include "reims-health.env.wait" . | fromYaml) "extra" .Values.sidecar.extraEnv) | nindent 4 }}
  {{- with .Values.sidecar.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.sidecar.securityContext | nindent 4 }}
  {{- $secrets := include "reims-health.secrets.service" (dict "root" . "name" "database") | fromYamlArray }}
  {{- if or $secrets .Values.sidecar.extraVolumeMounts }}
  volumeMounts:
    {{- if $secrets }}
    {{- include "reims-health.volumeMounts.secrets" . | nindent 4 }}
    {{- end }}
    {{- with .Values.sidecar.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The native sidecar comes first, so that it answers while the schema is waited for. */}}
{{- define "reims-health.initContainers" -}}
{{- if eq .Values.sidecar.mode "native" -}}
{{ include "reims-health.sidecar" . }}
{{- end }}
{{- with include "reims-health.waitForSchema" . }}
{{ . }}
{{- end }}
{{- end }}

{{- define "reims-health.containers" -}}
{{- if eq .Values.sidecar.mode "container" -}}
{{ include "reims-health.sidecar" . }}
{{- end }}
{{- end }}

{{/* The timing of a probe. Numbers from values can be floats, which YAML would write as 1e+06. */}}
{{- define "reims-health.timing" -}}
periodSeconds: {{ int64 .periodSeconds }}
timeoutSeconds: {{ int64 .timeoutSeconds }}
failureThreshold: {{ int64 .failureThreshold }}
{{- end }}
