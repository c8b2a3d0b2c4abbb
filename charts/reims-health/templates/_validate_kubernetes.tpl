{{/* As in _validate.tpl: what Kubernetes' API server refuses. In hook mode it would be asked only
     after the migration has run. */}}

{{/* Names of objects, hosts and labels. */}}
{{- define "reims-health.problems.names" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $subdomain := "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" -}}
{{- if gt (len (default "" $v.fullnameOverride)) 52 }}
{{- $p = append $p "fullnameOverride is longer than 52 characters: names of Services have 63, and the chart adds up to 11." }}
{{- end }}
{{- if and $v.enabled (or $v.api.enabled (include "reims-health.peers.makesService" .)) (regexMatch "^[0-9]" (include "reims-health.fullname" .)) (semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version) }}
{{- $p = append $p (printf "The Services would be called %s: before Kubernetes 1.36 the name of a Service begins with a letter. Set fullnameOverride." (include "reims-health.fullname" .)) }}
{{- end }}
{{- $secrets := dict "sidecar.token.existingSecret" $v.sidecar.token.existingSecret "migrations.database.existingSecret" $v.migrations.database.existingSecret -}}
{{- $keys := dict "sidecar.token.key" $v.sidecar.token.key "migrations.database.passwordKey" $v.migrations.database.passwordKey "migrations.database.urlKey" $v.migrations.database.urlKey -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- $secrets = merge $secrets .secretNames }}
{{- $keys = merge $keys .keys }}
{{- end }}
{{- range $name, $value := merge $secrets (dict
  "serviceAccount.name" $v.serviceAccount.name "breakGlass.configMap" $v.breakGlass.configMap
  "pod.priorityClassName" $v.pod.priorityClassName "pod.runtimeClassName" $v.pod.runtimeClassName "pod.schedulerName" $v.pod.schedulerName
  "migrations.priorityClassName" $v.migrations.priorityClassName "ingress.className" $v.ingress.className) }}
{{- if and $value (or (gt (len $value) 253) (not (regexMatch $subdomain $value))) }}
{{- $p = append $p (printf "%s is %s, which no object can be called: lower-case letters, digits, - and ., at most 253." $name (include "reims-health.quoted" $value)) }}
{{- end }}
{{- end }}
{{- range $name, $value := $keys }}
{{- if and $value (or (gt (len $value) 253) (not (regexMatch "^[-._a-zA-Z0-9]+$" $value)) (has $value (list "." "..")) (hasPrefix ".." $value)) }}
{{- $p = append $p (printf "%s is %s, which is no key of a Secret: letters, digits, -, _ and ., at most 253." $name (include "reims-health.quoted" $value)) }}
{{- end }}
{{- end }}
{{- if $v.ingress.enabled }}
{{- $hosts := dict "ingress.hosts" $v.ingress.hosts }}
{{- range $i, $tls := $v.ingress.tls }}
{{- $_ := set $hosts (printf "ingress.tls[%d].hosts" $i) $tls.hosts }}
{{- with $tls.secretName }}{{- if not (regexMatch $subdomain .) }}
{{- $p = append $p (printf "ingress.tls[%d].secretName is %s, which no Secret can be called." $i (include "reims-health.quoted" .)) }}
{{- end }}{{- end }}
{{- end }}
{{- range $name, $list := $hosts }}
{{- range $list }}
{{- $host := toString . }}
{{- if or (gt (len $host) 253) (not (regexMatch $subdomain (trimPrefix "*." $host))) (regexMatch "^[0-9.]+$" $host) }}
{{- $p = append $p (printf "%s has %s, which is no name of a host: lower-case letters, digits, - and . (or *. before them), with no scheme, port or path, and no IP address." $name (include "reims-health.quoted" $host)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.ingress.className (hasKey (default dict $v.ingress.annotations) "kubernetes.io/ingress.class") }}
{{- $p = append $p "ingress.className and the annotation kubernetes.io/ingress.class are both set: leave the annotation out." }}
{{- end }}
{{- end }}
{{- range $name, $labels := dict "commonLabels" $v.commonLabels "pod.labels" $v.pod.labels "pod.nodeSelector" $v.pod.nodeSelector
  "migrations.nodeSelector" $v.migrations.nodeSelector
  "monitoring.podMonitor.additionalLabels" $v.monitoring.podMonitor.additionalLabels
  "monitoring.serviceMonitor.additionalLabels" $v.monitoring.serviceMonitor.additionalLabels
  "monitoring.prometheusRule.additionalLabels" $v.monitoring.prometheusRule.additionalLabels
  "monitoring.dashboards.label" (dict $v.monitoring.dashboards.label $v.monitoring.dashboards.labelValue) }}
{{- range $key, $value := $labels }}
{{- if not (include "reims-health.isKey" $key) }}
{{- $p = append $p (printf "%s has the key %s, which no label can have: letters, digits, -, _ and ., at most 63, with a domain and / before them where there is one." $name (quote $key)) }}
{{- end }}
{{- if or (gt (len $value) 63) (not (regexMatch "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$" $value)) }}
{{- $p = append $p (printf "%s has %s: %s, which no label can be: letters, digits, -, _ and ., at most 63, with a letter or a digit at both ends." $name $key (quote $value)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $annotations := dict "commonAnnotations" $v.commonAnnotations "deployment.annotations" $v.deployment.annotations "pod.annotations" $v.pod.annotations
  "serviceAccount.annotations" $v.serviceAccount.annotations "migrations.annotations" $v.migrations.annotations "migrations.podAnnotations" $v.migrations.podAnnotations
  "service.annotations" $v.service.annotations "service.healthAnnotations" $v.service.healthAnnotations "ingress.annotations" $v.ingress.annotations
  "test.annotations" $v.test.annotations "monitoring.dashboards.folderAnnotation" (dict $v.monitoring.dashboards.folderAnnotation "") }}
{{- range $key, $_ := $annotations }}
{{- if not (include "reims-health.isKey" (lower $key)) }}
{{- $p = append $p (printf "%s has the key %s, which no annotation can have: letters, digits, -, _ and ., at most 63, with a domain and / before them where there is one." $name (quote $key)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* Whether a text is a qualified name, as keys of labels and annotations are. */}}
{{- define "reims-health.isKey" -}}
{{- $parts := splitList "/" . -}}
{{- $domain := ternary (first $parts) "x" (gt (len $parts) 1) -}}
{{- if and (le (len $parts) 2) (le (len (last $parts)) 63) (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$" (last $parts)) (le (len $domain) 253) (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" $domain) }}true{{ end }}
{{- end }}

{{/* What each container has: resources, environment, security context. */}}
{{- define "reims-health.problems.containers" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $volumes := include "reims-health.volumes" . | fromYamlArray -}}
{{- $podVolumes := list -}}
{{- range concat $volumes (default list $v.pod.volumes) }}{{- $podVolumes = append $podVolumes .name }}{{- end }}
{{- $jobVolumes := list "reims-health-secrets" -}}
{{- range $v.migrations.volumes }}{{- $jobVolumes = append $jobVolumes .name }}{{- end }}
{{- $grace := default 30 $v.pod.terminationGracePeriodSeconds | int -}}
{{- $all := list
  (dict "path" "sidecar" "c" (dict "resources" $v.sidecar.resources "env" $v.sidecar.extraEnv "securityContext" $v.sidecar.securityContext "volumeMounts" $v.sidecar.extraVolumeMounts) "volumes" (ternary $podVolumes list $v.api.enabled) "names" (dict "env" "extraEnv" "volumeMounts" "extraVolumeMounts"))
  (dict "path" "migrations" "c" (dict "resources" $v.migrations.resources "env" $v.migrations.extraEnv "volumeMounts" $v.migrations.volumeMounts) "volumes" $jobVolumes "names" (dict "env" "extraEnv")) -}}
{{- if and $v.enabled $v.api.enabled }}
{{- $all = append $all (dict "path" "api" "c" $v.api "volumes" $podVolumes "probes" true "preStop" $v.api.preStop) }}
{{- range $list := list "initContainers" "containers" }}
{{- range $i, $c := get $v.pod $list | default list }}
{{- $all = append $all (dict "path" (printf "pod.%s[%d]" $list $i) "c" $c "volumes" $podVolumes "probes" true "extra" $list "preStop" (dig "lifecycle" "preStop" dict $c)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $all }}
{{- $extra := .extra }}
{{- $path := .path }}
{{- $c := .c }}
{{- $names := default dict .names }}
{{- if .extra }}
{{- if or (gt (len $c.name) 63) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $c.name)) }}{{- $p = append $p (printf "%s.name is %s: lower-case letters, digits and -, at most 63." $path (quote $c.name)) }}{{- end }}
{{- if not $c.image }}{{- $p = append $p (printf "%s.image is missing: name the image of %s." $path $c.name) }}{{- end }}
{{- $always := eq (default "" $c.restartPolicy | toString) "Always" }}
{{- if and (eq .extra "initContainers") (not $always) (or $c.livenessProbe $c.readinessProbe $c.startupProbe $c.lifecycle) }}
{{- $p = append $p (printf "%s has a probe or a lifecycle, which an init container may have only with restartPolicy: Always." $path) }}
{{- end }}
{{- $portNames := dict }}
{{- range $c.ports }}
{{- if and .name (hasKey $portNames .name) }}
{{- $p = append $p (printf "%s has two ports called %s: give one of them another name." $path .name) }}
{{- end }}
{{- if .name }}{{- $_ := set $portNames .name true }}{{- end }}
{{- if has (int .containerPort) (list (int $v.sidecar.ports.health) (int $v.sidecar.ports.metrics) (int $v.api.port)) }}
{{- $p = append $p (printf "%s listens on %d, a port of the sidecar or of the API: the containers of a Pod share their ports. Change one of them." $path (int .containerPort)) }}
{{- end }}
{{- end }}
{{- end }}
{{- /* resources */}}
{{- $limits := default dict (get (default dict $c.resources) "limits") }}
{{- $requests := default dict (get (default dict $c.resources) "requests") }}
{{- range $kind, $quantities := dict "limits" $limits "requests" $requests }}
{{- range $resource, $quantity := $quantities }}
{{- if not (kindIs "invalid" $quantity) }}
{{- $extended := and (contains "/" $resource) (not (hasPrefix "kubernetes.io/" $resource)) }}
{{- if not (or $extended (has $resource (list "cpu" "memory" "ephemeral-storage")) (hasPrefix "hugepages-" $resource)) }}
{{- $p = append $p (printf "%s.resources.%s has %s, which is no resource: cpu, memory, ephemeral-storage, or one with a domain, such as nvidia.com/gpu." $path $kind (quote $resource)) }}
{{- end }}
{{- if and (or $extended (hasPrefix "hugepages-" $resource)) (eq $kind "requests") (not (get $limits $resource)) }}
{{- $p = append $p (printf "%s.resources.requests has %s without a limit: give the same in limits." $path $resource) }}
{{- end }}
{{- if and $extended (not (regexMatch "^[0-9]+$" (include "reims-health.number" $quantity | trimAll "\""))) }}
{{- $p = append $p (printf "%s.resources.%s.%s is %v: give a whole number." $path $kind $resource $quantity) }}
{{- end }}
{{- if not (include "reims-health.amount" $quantity) }}
{{- $p = append $p (printf "%s.resources.%s.%s is %v, which is no quantity: write 100m, 0.5, 64Mi or 1Gi." $path $kind $resource $quantity) }}
{{- else if and (eq $kind "requests") (hasKey $limits $resource) (include "reims-health.amount" (get $limits $resource)) }}
{{- if gt (include "reims-health.amount" $quantity | float64) (include "reims-health.amount" (get $limits $resource) | float64) }}
{{- $p = append $p (printf "%s.resources.requests.%s is %v, above the limit of %v: raise the limit, or lower the request (a default counts where you gave none)." $path $resource $quantity (get $limits $resource)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- /* environment */}}
{{- $list := printf "%s.%s" $path (default "env" $names.env) }}
{{- range $c.env }}
{{- $what := printf "%s: %v" $list .name }}
{{- if or (not (kindIs "string" .name)) (not (regexMatch "^[-._a-zA-Z][-._a-zA-Z0-9]*$" (toString .name))) }}
{{- $p = append $p (printf "%s is no name of a variable: letters, digits, _, - and ., with no digit first." $what) }}
{{- end }}
{{- if not (or (kindIs "string" .value) (kindIs "invalid" .value)) }}
{{- $p = append $p (printf "%s is %v, which YAML reads as no text: put it in quotes." $what .value) }}
{{- else if and .value .valueFrom }}
{{- $p = append $p (printf "%s has a value and a valueFrom: leave one out." $what) }}
{{- else if and (kindIs "map" .valueFrom) (ne (keys .valueFrom | len) 1) }}
{{- $p = append $p (printf "%s: valueFrom has %d sources: give one." $what (keys .valueFrom | len)) }}
{{- else }}
{{- $from := default dict .valueFrom }}
{{- range $ref := list "secretKeyRef" "configMapKeyRef" }}
{{- with get $from $ref }}
{{- if not (and .name .key) }}{{- $p = append $p (printf "%s: valueFrom.%s needs a name and a key." $what $ref) }}{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- /* mounts */}}
{{- if .volumes }}
{{- $volumes := .volumes }}
{{- $paths := dict }}
{{- range $c.volumeMounts }}
{{- $mounts := printf "%s.%s" $path (default "volumeMounts" $names.volumeMounts) }}
{{- if not (has .name $volumes) }}
{{- $p = append $p (printf "%s mounts %s, and there is no such volume: add it to %s.volumes." $mounts .name (ternary "migrations" "pod" (eq $path "migrations"))) }}
{{- end }}
{{- if or (contains ".." (default "" .subPath | splitList "/" | join " ")) (hasPrefix "/" (default "" .subPath)) }}
{{- $p = append $p (printf "%s: subPath of %s is a path below the volume, without ... and with no / at its start." $mounts .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- $volumes := .volumes }}
{{- range $c.volumeDevices }}
{{- if not (has .name $volumes) }}
{{- $p = append $p (printf "%s.volumeDevices has %s, and there is no such volume: add it to pod.volumes." $path .name) }}
{{- end }}
{{- end }}
{{- /* security */}}
{{- with $c.securityContext }}
{{- if and (eq (toString .allowPrivilegeEscalation) "false") (or .privileged (has "SYS_ADMIN" (dig "capabilities" "add" list . | default list)) (has "CAP_SYS_ADMIN" (dig "capabilities" "add" list . | default list))) }}
{{- $p = append $p (printf "%s.securityContext is privileged and does not allow privilege escalation, which is the default here: set allowPrivilegeEscalation to true as well, or leave privileged out." $path) }}
{{- end }}
{{- $nonRoot := .runAsNonRoot }}
{{- if kindIs "invalid" $nonRoot }}{{- $nonRoot = get (default dict $v.pod.securityContext) "runAsNonRoot" }}{{- end }}
{{- if and $nonRoot (not (kindIs "invalid" .runAsUser)) (eq (toString .runAsUser) "0") }}
{{- $p = append $p (printf "%s.securityContext.runAsUser is 0 and runAsNonRoot is true: the container would never start. Change one of them." $path) }}
{{- end }}
{{- end }}
{{- /* probes and preStop */}}
{{- if .probes }}
{{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" }}
{{- if and $extra (kindIs "map" (get $c $name)) (not (get $c $name)) }}
{{- $p = append $p (printf "%s.%s has no handler: give one of httpGet, tcpSocket, exec, grpc." $path $name) }}
{{- end }}
{{- with get $c $name }}
{{- range include "reims-health.probe.problems" (dict "path" (printf "%s.%s" $path $name) "probe" . "name" $name) | fromYamlArray }}{{- $p = append $p . }}{{- end }}
{{- end }}
{{- end }}
{{- with .preStop }}
{{- range include "reims-health.handler.problems" (dict "path" (printf "%s.preStop" $path) "handler" . "kinds" (list "exec" "httpGet" "sleep" "tcpSocket")) | fromYamlArray }}{{- $p = append $p . }}{{- end }}
{{- with .sleep }}
{{- if or (lt (int .seconds) 1) (gt (int .seconds) $grace) }}
{{- $p = append $p (printf "%s.preStop sleeps for %d s, and the Pod has %d s in all (pod.terminationGracePeriodSeconds): sleep for 1 s or more, and for less than that." $path (int .seconds) $grace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml (uniq $p) }}
{{- end }}

{{/* One handler, with what it needs. Takes {path, handler, kinds}. */}}
{{- define "reims-health.handler.problems" -}}
{{- $p := list -}}
{{- $path := .path -}}
{{- $given := list -}}
{{- range $kind := .kinds }}
{{- with get $.handler $kind }}
{{- $given = append $given $kind }}
{{- if has $kind (list "httpGet" "tcpSocket" "grpc") }}
{{- $port := toString .port }}
{{- $number := regexMatch "^[0-9]{1,5}$" $port }}
{{- if kindIs "invalid" .port }}
{{- $p = append $p (printf "%s.%s has no port: say on which one the container listens." $path $kind) }}
{{- else if and $number (or (lt (atoi $port) 1) (gt (atoi $port) 65535)) }}
{{- $p = append $p (printf "%s.%s.port is %s: give 1 to 65535." $path $kind $port) }}
{{- else if and $number (kindIs "string" .port) }}
{{- $p = append $p (printf "%s.%s.port is %s, a text: write the number without quotes." $path $kind (quote $port)) }}
{{- else if and (not $number) (or (eq $kind "grpc") (not (regexMatch "^[a-z0-9-]{1,15}$" $port)) (not (regexMatch "[a-z]" $port))) }}
{{- $p = append $p (printf "%s.%s.port is %s, which is neither a number nor the name of a port." $path $kind (quote $port)) }}
{{- end }}
{{- if not (has (default "HTTP" .scheme) (list "HTTP" "HTTPS")) }}{{- $p = append $p (printf "%s.%s.scheme is %v: write HTTP or HTTPS." $path $kind .scheme) }}{{- end }}
{{- else if and (eq $kind "exec") (not .command) }}
{{- $p = append $p (printf "%s.exec has no command." $path) }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt (len $given) 1 }}
{{- $p = append $p (printf "%s has %s: give one of them. A handler of a values file that another one is laid over stays until it is set to null." $path (join " and " $given)) }}
{{- else if and (not $given) (not (regexMatch "^api\\.[a-z]+Probe$" $path)) }}
{{- $p = append $p (printf "%s has no handler: give one of %s." $path (join ", " .kinds)) }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* Takes {path, probe, name}. */}}
{{- define "reims-health.probe.problems" -}}
{{- $p := list -}}
{{- $path := .path -}}
{{- $kinds := list "httpGet" "tcpSocket" "exec" "grpc" -}}
{{- range include "reims-health.handler.problems" (dict "path" .path "handler" .probe "kinds" $kinds) | fromYamlArray }}{{- $p = append $p . }}{{- end }}
{{- range $field := list "initialDelaySeconds" "timeoutSeconds" "periodSeconds" "successThreshold" "failureThreshold" "terminationGracePeriodSeconds" }}
{{- $value := get $.probe $field }}
{{- if and (hasKey $.probe $field) (not (kindIs "invalid" $value)) }}
{{- if not (regexMatch "^[0-9]{1,9}$" (include "reims-health.number" $value)) }}
{{- $p = append $p (printf "%s.%s is %v: give a whole number." $path $field $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (ne .name "readinessProbe") (not (has (get .probe "successThreshold" | default 1 | int) (list 1))) }}
{{- $p = append $p (printf "%s.successThreshold is %v: Kubernetes takes 1 alone here." $path .probe.successThreshold) }}
{{- end }}
{{- if and (eq .name "readinessProbe") (not (kindIs "invalid" .probe.terminationGracePeriodSeconds)) }}
{{- $p = append $p (printf "%s.terminationGracePeriodSeconds is for probes that restart: leave it out." $path) }}
{{- else if and (not (kindIs "invalid" .probe.terminationGracePeriodSeconds)) (lt (int .probe.terminationGracePeriodSeconds) 1) }}
{{- $p = append $p (printf "%s.terminationGracePeriodSeconds is %v: give 1 or more." $path .probe.terminationGracePeriodSeconds) }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* A number as one writes it: Helm reads 60 as a float. */}}
{{- define "reims-health.number" -}}
{{- if kindIs "float64" . }}{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{- else if kindIs "string" . }}{{ printf "%q" . }}{{- else }}{{ . }}{{ end }}
{{- end }}

{{/* Any quantity as a number; empty where it is none. */}}
{{- define "reims-health.amount" -}}
{{- $text := toString . -}}
{{- if kindIs "float64" . }}{{- $text = include "reims-health.number" . }}{{- end }}
{{- if regexMatch "^[+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$" $text -}}
{{- $number := regexFind "^[+]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $factors := dict "n" 0.000000001 "u" 0.000001 "m" 0.001 "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "Ei" 1152921504606846976 -}}
{{- if hasKey $factors $unit }}{{ mulf (float64 $number) (get $factors $unit | float64) }}{{ else }}{{ float64 $text }}{{ end }}
{{- end }}
{{- end }}

{{/* The Deployment, the budget, the Services and what is said about scheduling. */}}
{{- define "reims-health.problems.objects" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $strategy := default dict $v.deployment.strategy -}}
{{- $type := default "RollingUpdate" $strategy.type -}}
{{- if not (has $type (list "RollingUpdate" "Recreate")) }}
{{- $p = append $p (printf "deployment.strategy.type is %v: write RollingUpdate or Recreate." $type) }}
{{- else if eq $type "RollingUpdate" }}
{{- $rolling := default dict $strategy.rollingUpdate }}
{{- range $field := list "maxSurge" "maxUnavailable" }}
{{- $value := get $rolling $field }}
{{- if and (hasKey $rolling $field) (not (kindIs "invalid" $value)) (not (include "reims-health.isShare" $value)) }}
{{- $p = append $p (printf "deployment.strategy.rollingUpdate.%s is %v: give a whole number, or a share such as 25%%." $field $value) }}
{{- end }}
{{- end }}
{{- $none := list "0" "0%" "00%" -}}
{{- if and (hasKey $rolling "maxSurge") (hasKey $rolling "maxUnavailable") (has (toString $rolling.maxSurge) $none) (has (toString $rolling.maxUnavailable) $none) }}
{{- $p = append $p "deployment.strategy.rollingUpdate has maxSurge and maxUnavailable at 0: no Pod could ever be replaced. The defaults are 1 and 0: set both." }}
{{- end }}
{{- $share := toString $rolling.maxUnavailable }}
{{- if and (hasSuffix "%" $share) (gt (atoi (trimSuffix "%" $share)) 100) }}
{{- $p = append $p (printf "deployment.strategy.rollingUpdate.maxUnavailable is %s: give at most 100%%." $share) }}
{{- end }}
{{- end }}
{{- $budget := $v.podDisruptionBudget -}}
{{- if and $budget.enabled (include "reims-health.several" .) }}
{{- range $field := list "maxUnavailable" "minAvailable" }}
{{- $value := get $budget $field }}
{{- if and (not (kindIs "invalid" $value)) (ne (toString $value) "") }}
{{- if or (not (include "reims-health.isShare" $value)) (and (hasSuffix "%" (toString $value)) (gt (atoi (trimSuffix "%" (toString $value))) 100)) }}
{{- $p = append $p (printf "podDisruptionBudget.%s is %v: give a whole number, or a share such as 25%%." $field $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- $min := toString (default "" $budget.minAvailable) }}
{{- if and (not $min) (has (toString $budget.maxUnavailable) (list "0" "0%")) }}
{{- $p = append $p "podDisruptionBudget.maxUnavailable is 0: no node with a Pod of the API could ever be drained. Set 1 or more, or podDisruptionBudget.enabled to false." }}
{{- end }}
{{- if or (eq $min "100%") (and (regexMatch "^[0-9]+$" $min) (not (kindIs "invalid" $v.deployment.replicas)) (ge (atoi $min) (int (default 2 $v.deployment.replicas)))) }}
{{- $p = append $p (printf "podDisruptionBudget.minAvailable is %s, which is all Pods: no node with one could ever be drained. Set less, or podDisruptionBudget.enabled to false." $min) }}
{{- end }}
{{- end }}
{{- $families := default list $v.service.ipFamilies -}}
{{- if and (gt (len $families) 1) (not (has (default "" $v.service.ipFamilyPolicy) (list "PreferDualStack" "RequireDualStack"))) }}
{{- $p = append $p "service.ipFamilies has two families, and service.ipFamilyPolicy is not PreferDualStack or RequireDualStack: set it." }}
{{- end }}
{{- range $name, $list := dict "pod.tolerations" $v.pod.tolerations "migrations.tolerations" $v.migrations.tolerations }}
{{- range $i, $t := $list }}
{{- $operator := default "Equal" $t.operator }}
{{- if not (has $operator (list "Equal" "Exists" "Lt" "Gt")) }}{{- $p = append $p (printf "%s[%d].operator is %v: write Equal or Exists." $name $i $operator) }}{{- end }}
{{- if and (not $t.key) (ne $operator "Exists") }}{{- $p = append $p (printf "%s[%d] has no key, which needs the operator Exists." $name $i) }}{{- end }}
{{- if and $t.key (not (include "reims-health.isKey" $t.key)) }}{{- $p = append $p (printf "%s[%d].key is %s, which no taint can have." $name $i (quote $t.key)) }}{{- end }}
{{- if and $t.value (eq $operator "Exists") }}{{- $p = append $p (printf "%s[%d] has a value, and the operator Exists takes none." $name $i) }}{{- end }}
{{- if not (has (default "" $t.effect) (list "" "NoSchedule" "PreferNoSchedule" "NoExecute")) }}{{- $p = append $p (printf "%s[%d].effect is %v: write NoSchedule, PreferNoSchedule or NoExecute." $name $i $t.effect) }}{{- end }}
{{- if and (not (kindIs "invalid" $t.tolerationSeconds)) (ne (default "" $t.effect) "NoExecute") }}{{- $p = append $p (printf "%s[%d].tolerationSeconds needs the effect NoExecute." $name $i) }}{{- end }}
{{- end }}
{{- end }}
{{- $seen := dict -}}
{{- range $i, $c := $v.pod.topologySpreadConstraints }}
{{- $what := printf "pod.topologySpreadConstraints[%d]" $i }}
{{- if lt (int $c.maxSkew) 1 }}{{- $p = append $p (printf "%s.maxSkew is %v: give 1 or more." $what $c.maxSkew) }}{{- end }}
{{- if not $c.topologyKey }}{{- $p = append $p (printf "%s.topologyKey is missing, such as kubernetes.io/hostname." $what) }}{{- end }}
{{- if not (has (toString $c.whenUnsatisfiable) (list "DoNotSchedule" "ScheduleAnyway")) }}{{- $p = append $p (printf "%s.whenUnsatisfiable is %v: write DoNotSchedule or ScheduleAnyway." $what $c.whenUnsatisfiable) }}{{- end }}
{{- if and $c.minDomains (ne (toString $c.whenUnsatisfiable) "DoNotSchedule") }}{{- $p = append $p (printf "%s.minDomains needs whenUnsatisfiable: DoNotSchedule." $what) }}{{- end }}
{{- $key := printf "%v %v" $c.topologyKey $c.whenUnsatisfiable }}
{{- if hasKey $seen $key }}{{- $p = append $p (printf "%s says the same topologyKey and whenUnsatisfiable as one before it." $what) }}{{- end }}
{{- $_ := set $seen $key true }}
{{- end }}
{{- range $i, $alias := $v.pod.hostAliases }}
{{- if not (regexMatch "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$" (toString $alias.ip)) }}{{- $p = append $p (printf "pod.hostAliases[%d].ip is %v, which is no IP address." $i $alias.ip) }}{{- end }}
{{- range $alias.hostnames }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" .) }}{{- $p = append $p (printf "pod.hostAliases[%d].hostnames has %s, which is no name of a host." $i (quote .)) }}{{- end }}
{{- end }}
{{- end }}
{{- with default dict $v.pod.dnsConfig }}
{{- if gt (len (default list .nameservers)) 3 }}{{- $p = append $p "pod.dnsConfig.nameservers has more than 3." }}{{- end }}
{{- range .nameservers }}
{{- if not (regexMatch "^([0-9]{1,3}(\\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$" .) }}{{- $p = append $p (printf "pod.dnsConfig.nameservers has %s, which is no IP address." (quote .)) }}{{- end }}
{{- end }}
{{- range .options }}{{- if not .name }}{{- $p = append $p "pod.dnsConfig.options has one without a name." }}{{- end }}{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.isShare" -}}
{{- if regexMatch "^[0-9]{1,9}%$" (toString .) }}true{{- else if and (not (kindIs "string" .)) (regexMatch "^[0-9]{1,9}$" (include "reims-health.number" .)) }}true{{ end }}
{{- end }}

{{/* Values that say something and change nothing. */}}
{{- define "reims-health.problems.silent" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- if and $v.breakGlass.readiness (not $v.breakGlass.enabled) }}
{{- $p = append $p "breakGlass.readiness is set and breakGlass.enabled is false: no Pod would follow it. Set breakGlass.enabled to true, or readiness to \"\"." }}
{{- end }}
{{- if and $v.breakGlass.configMap (not $v.breakGlass.enabled) }}
{{- $p = append $p "breakGlass.configMap is set and breakGlass.enabled is false: no Pod would read it. Set breakGlass.enabled to true, or configMap to \"\"." }}
{{- end }}
{{- if and $v.service.healthAnnotations (not $v.service.health) }}
{{- $p = append $p "service.healthAnnotations is set and service.health is false: there is no Service to annotate. Set service.health to true, or leave the annotations out." }}
{{- end }}
{{- range $name, $address := dict "redis" "host" "minio" "endpoint" "ollama" "host" }}
{{- $s := get $v $name }}
{{- if not (get $s $address) }}
{{- range list "buckets" "requiredModels" "inferenceModel" }}
{{- if get $s . }}
{{- $p = append $p (printf "%s.%s is set and %s.%s is not: nothing would be checked. Set %s.%s too." $name . $name $address $name $address) }}
{{- end }}
{{- end }}
{{- if ne $s.readiness "ignore" }}
{{- $p = append $p (printf "%s.readiness is %s and %s.%s is not set: Pods would become ready without a check of it. Set %s.%s, or readiness to ignore." $name $s.readiness $name $address $name $address) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $v.api.enabled }}
{{- range $name := list "ingress" "networkPolicy" }}
{{- if (get $v $name).enabled }}
{{- $p = append $p (printf "%s.enabled is true and api.enabled is false: it is about the Pods of this chart, which has none. Make it in the application's own chart." $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name := list "podMonitor" "serviceMonitor" }}
{{- $m := get $v.monitoring $name }}
{{- if and $m.enabled $m.scrapeTimeout $m.interval }}
{{- $interval := include "reims-health.variables.nanoseconds" $m.interval }}
{{- $timeout := include "reims-health.variables.nanoseconds" $m.scrapeTimeout }}
{{- if gt (int64 $timeout) (int64 $interval) }}
{{- $p = append $p (printf "monitoring.%s.scrapeTimeout is %s, above the interval of %s: Prometheus would refuse the monitor." $name $m.scrapeTimeout $m.interval) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}
