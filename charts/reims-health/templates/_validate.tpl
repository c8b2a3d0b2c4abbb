{{/* Values that would render but not work, with one message each, all reported at once. */}}

{{- define "reims-health.validate" -}}
{{- include "reims-health.shape" . -}}
{{- with include "reims-health.problems" . | trim }}
{{- fail (printf "values of %s:\n%s" $.Chart.Name .) }}
{{- end }}
{{- end }}

{{- define "reims-health.problems" -}}
{{- $problems := list -}}
{{- range list "services" "passwords" "sidecar" "migrations" "env" "variables" "memory" "mounts" "names" "tls" "containers" "silent" "monitoring" "extraObjects" }}
{{- $problems = concat $problems (include (printf "reims-health.problems.%s" .) $ | fromYamlArray) }}
{{- end }}
{{- if and .Values.enabled .Values.api.enabled }}
{{- range list "api" "probes" "pod" "objects" "traffic" "egress" }}
{{- $problems = concat $problems (include (printf "reims-health.problems.%s" .) $ | fromYamlArray) }}
{{- end }}
{{- end }}
{{- range $problems }}
- {{ . }}
{{- end }}
{{- end }}

{{- define "reims-health.problems.services" -}}
{{- $p := list -}}
{{- $addresses := list -}}
{{- $watched := false -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- if not (hasPrefix "services." .address) }}{{- $addresses = append $addresses .address }}{{- end }}
{{- $watched = or $watched .watched }}
{{- $p = concat $p .problems }}
{{- end }}
{{- if not $watched }}
{{- $p = prepend $p (printf "No dependency is configured: set at least one of %s, %s and %s. Other dependencies are set in the map services." (first $addresses) (initial (rest $addresses) | join ", ") (last $addresses)) }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{/* A password in a value could be read by everybody who can read the Deployment. The message never quotes it. */}}
{{- define "reims-health.problems.passwords" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $names := dict "migrations.database.user" $v.migrations.database.user -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}{{- $names = merge $names .names }}{{- end }}
{{- range $name, $value := $names }}
{{- if regexMatch "(?i)://|:.*@|pass(word)? *=" (default "" $value) }}
{{- $p = append $p (printf "%s looks like a URL or a connection string, and a password in it would be in plain text in the Deployment: set only the name, and put the password into a Secret." $name) }}
{{- end }}
{{- end }}
{{- range $name, $list := dict "sidecar.extraEnv" $v.sidecar.extraEnv "migrations.extraEnv" $v.migrations.extraEnv }}
{{- range $list }}
{{- if regexMatch "://[^/?#]*:[^/?#]*@" (toString .value) }}
{{- $p = append $p (printf "%s: %s is a URL with a password, in plain text: set it from a Secret, with valueFrom.secretKeyRef." $name .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.sidecar" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- if and (eq $v.sidecar.mode "native") (semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version) }}
{{- $p = append $p (printf "sidecar.mode native needs Kubernetes 1.29 or newer, and this is %s: set sidecar.mode to container." .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if eq (int $v.sidecar.ports.health) (int $v.sidecar.ports.metrics) }}
{{- $p = append $p "sidecar.ports.health and sidecar.ports.metrics are the same port: change one of them." }}
{{- end }}
{{- if and (include "reims-health.reports" .) (eq (include "reims-health.serviceAccountName" .) "default") }}
{{- $p = append $p "reporting.enabled would give its rights to the ServiceAccount default, which every Pod of the namespace can use: set serviceAccount.create to true, or serviceAccount.name to another ServiceAccount." }}
{{- end }}
{{- if and $v.enabled $v.fleet.enabled (not (include "reims-health.peers.makesService" .)) }}
{{- $p = append $p (printf "fleet.enabled needs the Service %s-peers, with which reims-health-fleet finds the Pods, but the chart does not create it: set peers.enabled to true, or set fleet.enabled to false and create a DependencyHealth object for your own Service." (include "reims-health.fullname" .)) }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.migrations" -}}
{{- $v := .Values -}}
{{- $m := $v.migrations -}}
{{- $mode := include "reims-health.migrations.mode" . -}}
{{- $p := list -}}
{{- if and $v.enabled (not (include "reims-health.migrations.chosen" .)) }}
{{- $p = append $p "migrations.mode is not set. With api.enabled false, this chart does not know whether it may add tables to the database. Set migrations.mode to hook (a Job migrates it before the install and each upgrade), job (a Job of the release migrates it, and the Pods wait) or off (no migrations)." }}
{{- end }}
{{- if ne $mode "off" }}
{{- if not (or $v.database.host $m.database.host $m.database.urlKey) }}
{{- $p = append $p (printf "migrations.mode is %s, but no database is set: set database.host, or migrations.mode to off." $mode) }}
{{- else if and (eq $mode "job") (not $v.database.host) }}
{{- $p = append $p "migrations.mode is job, so the Pods wait for the schema, but database.host is not set: set it." }}
{{- end }}
{{- if and (eq $mode "hook") (not (or $v.database.existingSecret $m.database.existingSecret (and $v.database.tls.existingSecret $v.database.tls.certKey))) }}
{{- $p = append $p "migrations.mode hook runs before the objects of this release exist, so it needs an existing Secret with the password: create one, and set its name in database.existingSecret or migrations.database.existingSecret." }}
{{- end }}
{{- if and $m.database.urlKey (not $m.database.existingSecret) }}
{{- $p = append $p "migrations.database.urlKey is a key of migrations.database.existingSecret: set that value too." }}
{{- end }}
{{- if gt (int64 $m.activeDeadlineSeconds) 86400 }}
{{- $p = append $p (printf "migrations.activeDeadlineSeconds is %d, over a day: a migration that hangs would block every release until then. Set 86400 or less." (int64 $m.activeDeadlineSeconds)) }}
{{- end }}
{{- if and (not (kindIs "invalid" $m.ttlSecondsAfterFinished)) (lt (int64 $m.ttlSecondsAfterFinished) 86400) }}
{{- $p = append $p (printf "migrations.ttlSecondsAfterFinished is %d, under a day: Helm may still wait for the Job when it is deleted, and its log would be lost. Set 86400 or more, or null." (int64 $m.ttlSecondsAfterFinished)) }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.env" -}}
{{- $p := list -}}
{{- range list
  (dict "value" "sidecar.extraEnv" "env" (include "reims-health.env.sidecar" . | fromYaml) "extra" .Values.sidecar.extraEnv)
  (dict "value" "migrations.extraEnv" "env" (include "reims-health.env.migrate" . | fromYaml) "extra" .Values.migrations.extraEnv)
  (dict "value" "api.env" "env" dict "extra" .Values.api.env) }}
{{- $value := .value }}
{{- $seen := dict }}
{{- range $name, $_ := .env }}{{- $_ := set $seen (trimSuffix "_FILE" $name) "another value of the chart: set that value" }}{{- end }}
{{- range .extra }}
{{- $name := ternary .name (trimSuffix "_FILE" .name) (eq $value "api.env") }}
{{- with get $seen $name }}
{{- $p = append $p (printf "%s sets %s, which is already set by %s." $value $name .) }}
{{- end }}
{{- $_ := set $seen $name "the same list: remove one of them" }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.memory" -}}
{{- $p := list -}}
{{- range $value, $resources := dict "sidecar.resources" .Values.sidecar.resources "migrations.resources" .Values.migrations.resources }}
{{- $limit := get (default dict (get (default dict $resources) "limits")) "memory" }}
{{- if $limit }}
{{- $bytes := include "reims-health.bytes" $limit }}
{{- if not $bytes }}
{{- $p = append $p (printf "%s.limits.memory is %v, which is not a valid memory limit: write 64Mi, 1Gi, 64M or bytes." $value $limit) }}
{{- else if lt (int64 $bytes) 33554432 }}
{{- $p = append $p (printf "%s.limits.memory is %v: below 32Mi the kernel would kill the program. 64Mi is the default." $value $limit) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}
