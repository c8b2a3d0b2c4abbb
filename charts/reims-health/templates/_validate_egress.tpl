{{/* Once there is a rule on egress, whatever it leaves out cannot be reached. Only what
     holds for every cluster is refused: a policy applies to the port behind a Service,
     which may be another one than the sidecar is told. NOTES warns of the rest. */}}

{{- define "reims-health.problems.egress" -}}
{{- $policy := .Values.networkPolicy -}}
{{- $p := list -}}
{{- if and $policy.enabled $policy.egress }}
{{- if not (include "reims-health.egress.allows" (dict "rules" $policy.egress "protocol" "UDP" "ports" (list 53 5353))) }}
{{- $p = append $p "networkPolicy.egress allows neither port 53 nor 5353 of UDP, so no name could be resolved: list every destination, DNS too." }}
{{- end }}
{{- range $policy.egress }}{{- range .ports }}
{{- if and .endPort (not (kindIs "string" .port)) (lt (int .endPort) (int .port)) }}
{{- $p = append $p (printf "networkPolicy.egress has the ports from %d to %d: endPort is the higher one." (int .port) (int .endPort)) }}
{{- end }}
{{- end }}{{- end }}
{{- if and (include "reims-health.reports" .) (not (include "reims-health.egress.allows" (dict "rules" $policy.egress "protocol" "TCP" "ports" (list 443 6443)))) }}
{{- $p = append $p "networkPolicy.egress allows neither port 443 nor 6443, so Kubernetes' API could not be reached, which reporting.enabled needs: list it, or set reporting.enabled to false." }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* What the rules seem to leave out: a list of texts. */}}
{{- define "reims-health.egress.doubts" -}}
{{- $v := .Values -}}
{{- $doubts := list -}}
{{- if and $v.networkPolicy.enabled $v.networkPolicy.egress }}
{{- $want := dict -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- if and .watched .port }}{{- $_ := set $want .title (int .port) }}{{- end }}
{{- end }}
{{- range $what, $port := $want }}
{{- if not (include "reims-health.egress.allows" (dict "rules" $v.networkPolicy.egress "protocol" "TCP" "ports" (list $port))) }}
{{- $doubts = append $doubts (printf "port %d, where the sidecar looks for %s" $port $what) }}
{{- end }}
{{- end }}
{{- with include "reims-health.peers.doubt" . }}{{- $doubts = append $doubts . }}{{- end }}
{{- end }}
{{- toYaml $doubts }}
{{- end }}

{{/* Whether a rule allows one of the ports. A named one may be any. Takes {rules, protocol,
     ports}. */}}
{{- define "reims-health.egress.allows" -}}
{{- $open := false -}}
{{- range $rule := .rules }}
{{- if not $rule.ports }}{{- $open = true }}{{- end }}
{{- range $rule.ports }}
{{- $first := default 0 .port | int }}
{{- $last := default $first .endPort | int }}
{{- if eq (default "TCP" .protocol) $.protocol }}
{{- if or (not .port) (kindIs "string" .port) }}{{- $open = true }}{{- end }}
{{- range $port := $.ports }}
{{- if and (ge $port $first) (le $port $last) }}{{- $open = true }}{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- if $open }}true{{ end }}
{{- end }}
