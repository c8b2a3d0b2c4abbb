{{- define "reims-health.api" -}}
{{- $api := .Values.api -}}
- name: api
  image: {{ include "reims-health.api.image" . | quote }}
  imagePullPolicy: {{ $api.image.pullPolicy }}
  {{- with $api.command }}
  command:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.args }}
  args:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.env }}
  env:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: api
      containerPort: {{ int64 $api.port }}
      protocol: TCP
  startupProbe:
    {{- toYaml $api.startupProbe | nindent 4 }}
  livenessProbe:
    {{- toYaml $api.livenessProbe | nindent 4 }}
  readinessProbe:
    {{- toYaml $api.readinessProbe | nindent 4 }}
  {{- with include "reims-health.api.preStop" . }}
  lifecycle:
    preStop:
      {{- . | nindent 6 }}
  {{- end }}
  {{- with $api.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $api.volumeMounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Kubernetes 1.30 sleeps by itself; below, the image has to. */}}
{{- define "reims-health.api.preStop" -}}
{{- $seconds := int .Values.api.drainSeconds -}}
{{- if .Values.api.preStop }}
{{- toYaml .Values.api.preStop }}
{{- else if and $seconds (semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version) }}
{{- dict "sleep" (dict "seconds" $seconds) | toYaml }}
{{- else if $seconds }}
{{- dict "exec" (dict "command" (list "sleep" (toString $seconds))) | toYaml }}
{{- end }}
{{- end }}

{{/* Whether there is, or an autoscaler may make, more than one Pod. */}}
{{- define "reims-health.several" -}}
{{- $replicas := .Values.deployment.replicas -}}
{{- if or (kindIs "invalid" $replicas) (gt (int $replicas) 1) }}true{{ end }}
{{- end }}

{{- define "reims-health.topologySpread" -}}
{{- if not (kindIs "invalid" .Values.pod.topologySpreadConstraints) }}
{{- with .Values.pod.topologySpreadConstraints }}{{ toYaml . }}{{ end }}
{{- else if include "reims-health.several" . }}
{{- range $i, $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "reims-health.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}
