{{/* HTTPS of the sidecar's own ports: sidecar.tls. */}}

{{/* Where the Secret's keys are mounted: by the path below the folder of secrets. */}}
{{- define "reims-health.tls.items" -}}
{{- $tls := .Values.sidecar.tls -}}
- key: {{ $tls.certKey | quote }}
  path: health/tls.crt
- key: {{ $tls.keyKey | quote }}
  path: health/tls.key
{{- if or (include "reims-health.peers" .) $tls.clientCertificates }}
- key: {{ $tls.caKey | quote }}
  path: health/ca.crt
{{- end }}
{{- end }}

{{/* What the sidecar is told. */}}
{{- define "reims-health.env.tls" -}}
{{- $env := dict -}}
{{- if .Values.sidecar.tls.existingSecret }}
{{- $dir := printf "%s/health" (include "reims-health.secretsDir" .) }}
{{- range list "HEALTH" "METRICS" }}
{{- $_ := set $env (printf "%s_TLS_CERT_FILE" .) (printf "%s/tls.crt" $dir) }}
{{- $_ := set $env (printf "%s_TLS_KEY_FILE" .) (printf "%s/tls.key" $dir) }}
{{- if $.Values.sidecar.tls.clientCertificates }}{{- $_ := set $env (printf "%s_TLS_CLIENT_CA_FILE" .) (printf "%s/ca.crt" $dir) }}{{- end }}
{{- end }}
{{- if include "reims-health.peers" . }}{{- $_ := set $env "HEALTH_PEERS_CA_FILE" (printf "%s/ca.crt" $dir) }}{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* The scheme of the kubelet's probes. */}}
{{- define "reims-health.tls.probe" -}}
{{- if .Values.sidecar.tls.existingSecret }}scheme: HTTPS{{ end }}
{{- end }}

{{/* The scheme of URLs. */}}
{{- define "reims-health.tls.scheme" -}}
{{- ternary "https" "http" (not (empty .Values.sidecar.tls.existingSecret)) }}
{{- end }}

{{- define "reims-health.tls.serverName" -}}
{{- default (printf "%s.%s.svc" (include "reims-health.peers.service" .) (include "reims-health.namespace" .)) .Values.sidecar.tls.serverName }}
{{- end }}

{{/* How Prometheus scrapes. Takes {root, monitor}. */}}
{{- define "reims-health.tls.monitor" -}}
{{- $tls := .root.Values.sidecar.tls -}}
{{- if $tls.existingSecret -}}
scheme: https
tlsConfig:
{{- with .monitor.tlsConfig }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  serverName: {{ include "reims-health.tls.serverName" .root | quote }}
  ca:
    secret:
      name: {{ $tls.existingSecret | quote }}
      key: {{ $tls.caKey | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "reims-health.problems.tls" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- if not $v.sidecar.tls.existingSecret }}
{{- if $v.sidecar.tls.clientCertificates }}{{- $p = append $p "sidecar.tls.clientCertificates needs HTTPS: set sidecar.tls.existingSecret." }}{{- end }}
{{- if $v.fleet.caBundle }}{{- $p = append $p "fleet.caBundle needs HTTPS: set sidecar.tls.existingSecret, or leave the bundle out." }}{{- end }}
{{- else }}
{{- if and $v.fleet.enabled (not $v.fleet.caBundle) }}
{{- $p = append $p "fleet.caBundle is missing: with sidecar.tls, reims-health-fleet asks by HTTPS and must be told the authority of the certificates, in PEM." }}
{{- end }}
{{- range $name := list "podMonitor" "serviceMonitor" }}
{{- $m := get $v.monitoring $name }}
{{- if and $v.sidecar.tls.clientCertificates $m.enabled (not $m.tlsConfig) }}
{{- $p = append $p (printf "monitoring.%s.tlsConfig is missing: with sidecar.tls.clientCertificates, Prometheus needs a certificate, its key, the authority and a serverName." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}
