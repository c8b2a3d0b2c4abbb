{{/* As in _validate.tpl, about the API that runs here. */}}

{{- define "reims-health.problems.api" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- if not $v.api.image.repository }}
{{- $p = append $p "api.image.repository is missing: name the REIMS API's image, or set api.enabled to false." }}
{{- end }}
{{- if not (or $v.api.image.tag $v.api.image.digest) }}
{{- $p = append $p "api.image.tag is missing: set it, or api.image.digest." }}
{{- end }}
{{- if has (int $v.api.port) (list (int $v.sidecar.ports.health) (int $v.sidecar.ports.metrics)) }}
{{- $p = append $p (printf "api.port is %d, a port of the sidecar: the containers of a Pod share their ports. Change one of them." (int $v.api.port)) }}
{{- end }}
{{- if and (not $v.api.preStop) (not (kindIs "invalid" $v.pod.terminationGracePeriodSeconds)) (ge (int $v.api.drainSeconds) (int $v.pod.terminationGracePeriodSeconds)) }}
{{- $p = append $p (printf "pod.terminationGracePeriodSeconds is %d and api.drainSeconds is %d: nothing would be left for the API's own shutdown. Raise the first." (int $v.pod.terminationGracePeriodSeconds) (int $v.api.drainSeconds)) }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* A probe that fails restarts the API (startup, liveness). Restarts help against
     nothing that a dependency does, and all Pods would do it at once. */}}
{{- define "reims-health.problems.probes" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $ports := list (toString $v.sidecar.ports.health) (toString $v.sidecar.ports.metrics) "health" "metrics" -}}
{{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- $probe := dict }}
{{- range $handler := list "httpGet" "tcpSocket" "exec" "grpc" }}
{{- with get (get $v.api $name | default dict) $handler }}{{- $_ := set $probe $handler . }}{{- end }}
{{- end }}
{{- if not $probe }}
{{- $p = append $p (printf "api.%s is missing: say how the API itself is asked, by httpGet, tcpSocket, exec or grpc." $name) }}
{{- else if ne $name "readinessProbe" }}
{{- $port := toString (dig "httpGet" "port" (dig "tcpSocket" "port" (dig "grpc" "port" "" $probe) $probe) $probe) }}
{{- $command := dig "exec" "command" list $probe | join " " }}
{{- $asksSidecar := or (has $port $ports) (regexMatch (printf ":(%s|%s)([^0-9]|$)" (index $ports 0) (index $ports 1)) $command) }}
{{- if $asksSidecar }}
{{- $p = append $p (printf "api.%s asks the sidecar, which tells of dependencies: when one is down, every API container would be restarted, which repairs nothing. Let it ask the API alone." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.traffic" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- if eq (int $v.service.port) (int $v.service.healthPort) }}
{{- $p = append $p "service.port and service.healthPort are the same port: give one of them another." }}
{{- end }}
{{- if eq (int $v.service.healthPort) (int $v.sidecar.ports.metrics) }}
{{- $p = append $p "service.healthPort is the port of the metrics: give it another." }}
{{- end }}
{{- toYaml $p }}
{{- end }}
