{{/* What the program is told, as a dict: no two variables can have the same name. */}}
{{- define "reims-health-fleet.env" -}}
{{- $v := .Values -}}
{{- $env := dict
  "FLEET_ADDR" (printf ":%d" (int $v.ports.page))
  "FLEET_METRICS_ADDR" (printf ":%d" (int $v.ports.metrics))
  "FLEET_HEALTH_ADDR" (printf ":%d" (int $v.ports.health))
  "FLEET_REQUESTS_PER_SECOND" (int64 $v.requestsPerSecond | toString)
  "FLEET_TIMEOUT" $v.timeout
  "LOG_LEVEL" $v.logLevel
  "POD_NAME" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.name"))
  "POD_NAMESPACE" (dict "fieldRef" (dict "apiVersion" "v1" "fieldPath" "metadata.namespace")) -}}
{{- if $v.clientCertificate.existingSecret }}
{{- $_ := set $env "FLEET_CLIENT_CERT_FILE" "/etc/reims-health-fleet/client/tls.crt" }}
{{- $_ := set $env "FLEET_CLIENT_KEY_FILE" "/etc/reims-health-fleet/client/tls.key" }}
{{- end }}
{{- with $v.namespaces }}{{- $_ := set $env "FLEET_NAMESPACES" (join "," .) }}{{- end }}
{{- with include "reims-health-fleet.memoryLimit" . }}{{- $_ := set $env "GOMEMLIMIT" (printf "%dMiB" (div (mul (int64 .) 9) 10485760)) }}{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* The memory limit in bytes. Empty where there is none; 0 where it is no quantity that a limit
     can be. */}}
{{- define "reims-health-fleet.memoryLimit" -}}
{{- with get (default dict (get (default dict .Values.resources) "limits")) "memory" -}}
{{- $text := toString . -}}
{{- if not (kindIs "string" .) }}{{- $text = printf "%d" (int64 .) }}{{- end }}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|k|M|G)?$" $text -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text -}}
{{- $factors := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "k" 1000 "M" 1000000 "G" 1000000000 -}}
{{- printf "%d" (mulf (float64 $number) (get $factors (trimPrefix $number $text) | float64) | floor | int64) }}
{{- else }}0{{ end }}
{{- end }}
{{- end }}

{{- define "reims-health-fleet.topologySpread" -}}
{{- if not (kindIs "invalid" .Values.pod.topologySpreadConstraints) }}
{{- with .Values.pod.topologySpreadConstraints }}{{ toYaml . }}{{ end }}
{{- else if gt (int .Values.replicas) 1 }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "reims-health-fleet.selectorLabels" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}
