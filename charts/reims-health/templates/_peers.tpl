{{/* Peers: the sidecars of the workload's other Pods, which each sidecar asks whether a fault is
     shared. */}}

{{/* Whether they are asked. Without a word from the values, where this chart runs the API and
     there can be more than one Pod: of a Pod in another chart it knows neither the replicas nor
     the labels. Without a Service there is no name to look up. */}}
{{- define "reims-health.peers" -}}
{{- $given := .Values.peers.enabled -}}
{{- $named := get . "peersService" -}}
{{- if kindIs "invalid" $given }}
{{- if or $named (and .Values.enabled .Values.api.enabled (include "reims-health.several" .)) }}true{{ end }}
{{- else if and (eq (toString $given) "true") (or $named .Values.enabled) }}true{{ end }}
{{- end }}

{{/* Whether the Service is this chart's: unless the application's chart gives the name of its own. */}}
{{- define "reims-health.peers.makesService" -}}
{{- if and .Values.enabled (not (get . "peersService")) (include "reims-health.peers" .) }}true{{ end }}
{{- end }}

{{/* The name that is looked up: that of the Service alone. A Pod's resolver completes it from the
     first entry of its search list, the Pod's own namespace: one lookup, whatever the cluster's
     domain and ndots are. NAME.NAMESPACE.svc would take three with the default of ndots:5, and
     with ndots:2 or less its first would leave the cluster; a whole name needs the cluster's
     domain, which no template knows. */}}
{{- define "reims-health.peers.service" -}}
{{- default (printf "%s-peers" (include "reims-health.fullname" .)) (get . "peersService") }}
{{- end }}

{{/* What the sidecar is told. The program's defaults are left to it. */}}
{{- define "reims-health.env.peers" -}}
{{- $env := dict -}}
{{- if include "reims-health.peers" . }}
{{- $_ := set $env "HEALTH_PEERS" (include "reims-health.peers.service" .) }}
{{- $_ := set $env "POD_IP" (include "reims-health.env.field" "status.podIP" | fromYaml) }}
{{- with .Values.peers.sample }}{{- $_ := set $env "HEALTH_PEERS_SAMPLE" (int64 . | toString) }}{{- end }}
{{- with .Values.peers.timeout }}{{- $_ := set $env "HEALTH_PEERS_TIMEOUT" . }}{{- end }}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- $shared := .values.sharedFault }}
{{- if and .watched $shared (ne $shared "hold") }}{{- $_ := set $env (printf "%s_SHARED_FAULT" (upper .name | replace "-" "_")) $shared }}{{- end }}
{{- end }}
{{- end }}
{{- toYaml $env }}
{{- end }}

{{/* What lets peers in, or lets this Pod out to them, in a NetworkPolicy of the namespace. Takes
     {root, key}: from or to. */}}
{{- define "reims-health.peers.rule" -}}
- ports:
    - port: {{ int64 .root.Values.sidecar.ports.health }}
      protocol: TCP
  {{ .key }}:
    - podSelector:
        matchLabels:
          {{- include "reims-health.podLabels" .root | nindent 10 }}
{{- end }}

{{/* Go's resolver takes up to 1232 bytes by UDP: 41 addresses of IPv6. The list of more Pods
     comes by TCP. */}}
{{- define "reims-health.peers.doubt" -}}
{{- $v := .Values -}}
{{- $replicas := default 41 $v.deployment.replicas | int -}}
{{- if and (include "reims-health.peers" .) (gt $replicas 40) (not (include "reims-health.egress.allows" (dict "rules" $v.networkPolicy.egress "protocol" "TCP" "ports" (list 53 5353)))) -}}
port 53 of TCP, by which DNS answers with more than about 40 peers
{{- end }}
{{- end }}
