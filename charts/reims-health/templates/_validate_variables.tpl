{{/* What the program refuses, it refuses in the cluster: the sidecar ends with exit code 2, and
     the API never starts. The rules are the program's own, from files/configuration.json, which
     make update-chart writes from pkg/config. */}}

{{- define "reims-health.problems.variables" -}}
{{- $rules := .Files.Get "files/configuration.json" | fromJson -}}
{{- $paths := (.Files.Get "files/values.json" | fromJson).paths -}}
{{- $mode := include "reims-health.migrations.mode" . -}}
{{- $p := list -}}
{{- $sets := dict -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}{{- $sets = merge $sets .sets }}{{- end }}
{{- $containers := list (dict "env" "reims-health.env.sidecar" "extra" .Values.sidecar.extraEnv "from" "sidecar") -}}
{{- if eq $mode "job" }}{{- $containers = append $containers (dict "env" "reims-health.env.wait" "extra" .Values.sidecar.extraEnv "from" "sidecar") }}{{- end }}
{{- if ne $mode "off" }}{{- $containers = append $containers (dict "env" "reims-health.env.migrate" "extra" .Values.migrations.extraEnv "from" "migrations") }}{{- end }}
{{- range $containers }}
{{- $env := include .env $ | fromYaml }}
{{- $source := dict }}
{{- range $name, $_ := $env }}{{- $_ := set $source $name (include "reims-health.variables.value" (dict "variable" $name "sets" $sets)) }}{{- end }}
{{- if eq .from "migrations" }}
{{- range $key, $name := dict "host" "DATABASE_HOST" "port" "DATABASE_PORT" "user" "DATABASE_USER" }}
{{- if get $.Values.migrations.database $key }}{{- $_ := set $source $name (printf "migrations.database.%s" $key) }}{{- end }}
{{- end }}
{{- end }}
{{- $from := .from }}
{{- range .extra }}
{{- if and .name (not (hasKey $env .name)) }}
{{- $_ := set $env .name (ternary (dict "valueFrom" .valueFrom) (default "" .value) (hasKey . "valueFrom")) }}
{{- $_ := set $source .name (printf "%s.extraEnv: %s" $from .name) }}
{{- end }}
{{- end }}
{{- range include "reims-health.variables.check" (dict "rules" $rules "env" $env) | fromJsonArray }}
{{- $where := get $source .variable | default .variable }}
{{- with .service }}{{- $where = printf "services.%s" . }}{{- end }}
{{- /* The program's sentence names variables, and a value of the chart sets some of them. */}}
{{- $text := .text }}
{{- range regexFindAll "\\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\\b" .text -1 | uniq }}
{{- $value := include "reims-health.variables.value" (dict "variable" . "sets" $sets) }}
{{- if or (hasKey $sets .) (has $value (get $paths (splitList "." $value | last | lower) | default list)) }}{{- $text = regexReplaceAll (printf "\\b%s\\b" .) $text $value }}{{- end }}
{{- end }}
{{- $p = append $p (printf "%s: %s." $where $text) }}
{{- end }}
{{- end }}
{{- toYaml (uniq $p) }}
{{- end }}

{{/* The value that sets a variable, for a sentence. Takes {variable, sets}, where sets has those
     of the services. */}}
{{- define "reims-health.variables.value" -}}
{{- $known := dict "ENVIRONMENT" "environment" "LOG_LEVEL" "sidecar.logLevel" "HEALTH_DETAILS" "sidecar.details" "HEALTH_PAGE_DETAILS" "sidecar.pageDetails"
  "HEALTH_ADDR" "sidecar.ports.health" "METRICS_ADDR" "sidecar.ports.metrics" "HEALTH_ALLOWED_ORIGINS" "sidecar.allowedOrigins" "HEALTH_DOCS_URL" "sidecar.docsURL"
  "HEALTH_SERVICES" "services" "HEALTH_PEERS_SAMPLE" "peers.sample" "HEALTH_PEERS_TIMEOUT" "peers.timeout" -}}
{{- $known = merge $known .sets -}}
{{- $prefix := printf "%s_" (regexFind "^[A-Z0-9]+" .variable) -}}
{{- if hasKey $known .variable }}
{{- get $known .variable }}
{{- else if has (trimSuffix "_" $prefix | lower) (include "reims-health.services.names" . | fromYamlArray) }}
{{- $rest := trimPrefix $prefix .variable }}
{{- $group := "" }}
{{- if hasPrefix "PROBE_" $rest }}{{- $group = "probe." }}{{- $rest = trimPrefix "PROBE_" $rest }}{{- end }}
{{- printf "%s.%s%s" (trimSuffix "_" $prefix | lower) $group ($rest | lower | camelcase | untitle) }}
{{- else }}
{{- .variable }}
{{- end }}
{{- end }}

{{/* A list of {variable, text, service}, as JSON; the service is the one that the name of is wrong.
     Takes {rules, env}: a text, or a map where the value is not known here. */}}
{{- define "reims-health.variables.check" -}}
{{- $named := include "reims-health.variables.named" . | fromJson -}}
{{- $rules := dict "formats" .rules.formats "variables" (merge (dict) $named.variables .rules.variables) "contradictions" (concat .rules.contradictions $named.contradictions) -}}
{{- $p := $named.problems -}}
{{- $values := dict -}}
{{- $skipped := dict -}}
{{- range $p }}{{- $_ := set $skipped .variable true }}{{- end }}
{{- range $name, $rule := $rules.variables }}{{- $_ := set $values $name (default "" $rule.default) }}{{- end }}
{{- $env := .env }}
{{- range $name, $value := $env }}
{{- $base := trimSuffix "_FILE" $name }}
{{- $rule := get $rules.variables $name }}
{{- if and (not $rule) (get (default dict (get $rules.variables $base)) "secret") (ne $name $base) }}
{{- $rule = dict "format" "path" }}
{{- end }}
{{- if kindIs "map" $rule }}
{{- $result := dict "skip" true }}
{{- $ignored := false }}
{{- range $rule.unless }}{{- if and (get $env .) (not (get $skipped .)) }}{{- $ignored = true }}{{- end }}{{- end }}
{{- if and (kindIs "string" $value) (not $ignored) }}
{{- $result = include "reims-health.variables.judge" (dict "rules" $rules "rule" $rule "text" $value) | fromJson }}
{{- end }}
{{- if $result.skip }}
{{- $_ := set $skipped $name true }}
{{- else if $result.problem }}
{{- $_ := set $skipped $name true }}
{{- $p = append $p (dict "variable" $name "text" $result.problem) }}
{{- else if $result.value }}
{{- $_ := set $values $name $result.value }}
{{- end }}
{{- end }}
{{- end }}
{{- range $rules.contradictions }}
{{- /* Defaults contradict nothing: one of the variables is given. */}}
{{- $holds := false }}
{{- range .variables }}{{- if hasKey $.env . }}{{- $holds = true }}{{- end }}{{- end }}
{{- range .variables }}{{- if hasKey $skipped . }}{{- $holds = false }}{{- end }}{{- end }}
{{- range $name, $pattern := .when }}{{- if and $holds (not (regexMatch $pattern (get $values $name))) }}{{- $holds = false }}{{- end }}{{- end }}
{{- if and $holds .notBelow }}
{{- $one := include "reims-health.variables.nanoseconds" (get $values (first .variables)) | int64 }}
{{- $other := include "reims-health.variables.nanoseconds" (get $values .notBelow) | int64 }}
{{- if lt $one $other }}{{- $holds = false }}{{- end }}
{{- end }}
{{- if $holds }}{{- $p = append $p (dict "variable" (first .variables) "text" .refusal) }}{{- end }}
{{- end }}
{{- toJson $p }}
{{- end }}

{{/* What the named services of HEALTH_SERVICES add: {variables, contradictions, problems}, as JSON.
     Takes {rules, env}. */}}
{{- define "reims-health.variables.named" -}}
{{- $rules := .rules -}}
{{- $env := .env -}}
{{- $p := list -}}
{{- $variables := dict -}}
{{- $contradictions := list -}}
{{- $owners := dict -}}
{{- $camels := dict -}}
{{- $seen := dict -}}
{{- $list := get $env "HEALTH_SERVICES" -}}
{{- if not (kindIs "string" $list) }}{{- $list = "" }}{{- end }}
{{- range splitList "," $list }}
{{- $name := trim . | lower }}
{{- $prefix := printf "%s_" (upper $name | replace "-" "_") }}
{{- if and (regexMatch $rules.formats.service.pattern $name) (not (regexMatch $rules.formats.service.not $name)) (not (hasKey $seen $name)) }}
{{- $_ := set $seen $name true }}
{{- if not (hasKey $rules.variables (printf "%sREADINESS" $prefix)) }}
{{- if not $owners }}
{{- range $variable, $rule := $rules.variables }}
{{- $_ := set $owners $variable "the sidecar or another service" }}
{{- if $rule.secret }}{{- $_ := set $owners (printf "%s_FILE" $variable) "the sidecar or another service" }}{{- end }}
{{- end }}
{{- end }}
{{- $variable := printf "%sCHECK" $prefix }}
{{- $check := get $env $variable }}
{{- $scheme := "" }}
{{- if kindIs "string" $check }}
{{- $check = trim $check }}
{{- $scheme = regexFind "^[^:/]*://" $check | trimSuffix "://" | lower }}
{{- $authority := regexReplaceAll "^[^:/]*://([^/?#]*).*$" $check "${1}" }}
{{- if or (not $check) (regexMatch "\\p{Cc}" $check) }}
{{- $text := "the value holds a line break or another control character" }}
{{- if not $check }}{{- $text = printf "missing, and HEALTH_SERVICES lists %s" (quote $name) }}{{- end }}
{{- $p = append $p (dict "variable" $variable "text" $text) }}
{{- $scheme = "" }}
{{- else if not (contains "://" $check) }}
{{- $p = append $p (dict "variable" $variable "text" "the value is not a URL: give SCHEME://HOST:PORT") }}
{{- else if contains "#" $check }}
{{- $p = append $p (dict "variable" $variable "text" "the URL has a fragment (#): leave it out, or write the # as %23") }}
{{- $scheme = "" }}
{{- else if regexMatch ":[^@]*@" $authority }}
{{- $p = append $p (dict "variable" $variable "text" (printf "the URL has a password, and the URL is shown to readers: leave it out, and name a Secret that holds it in services.%s.existingSecret" $name)) }}
{{- $scheme = "" }}
{{- else if not (hasKey $rules.schemes $scheme) }}
{{- $p = append $p (dict "variable" $variable "text" (printf "there is no scheme %s: give one of %s" (include "reims-health.quoted" $scheme) (keys $rules.schemes | sortAlpha | join ", "))) }}
{{- else if not (regexMatch (get $rules.schemes $scheme).url.pattern $check) }}
{{- $p = append $p (dict "variable" $variable "text" (printf "%s is not a URL as %s takes it: give %s" (include "reims-health.quoted" $check) $scheme (get $rules.schemes $scheme).url.form)) }}
{{- end }}
{{- else if kindIs "invalid" $check }}
{{- $p = append $p (dict "variable" $variable "text" (printf "missing, and HEALTH_SERVICES lists %s" (quote $name))) }}
{{- end }}
{{- $kind := default dict (get $rules.schemes $scheme) }}
{{- $told := false }}
{{- range $rest, $rule := default dict $kind.variables }}
{{- $whole := printf "%s%s" $prefix $rest }}
{{- $_ := set $variables $whole $rule }}
{{- $wholes := list $whole }}
{{- if $rule.secret }}{{- $wholes = append $wholes (printf "%s_FILE" $whole) }}{{- end }}
{{- range $wholes }}
{{- if and (hasKey $owners .) (not $told) }}
{{- $told = true }}
{{- $p = append $p (dict "variable" "HEALTH_SERVICES" "service" $name "text" (printf "%s would be a variable of %s and of %s: choose another name" . (get $owners .) $name)) }}
{{- end }}
{{- $_ := set $owners . $name }}
{{- end }}
{{- end }}
{{- range $kind.given }}
{{- $whole := printf "%s%s" $prefix . }}
{{- $value := get $env $whole }}
{{- if or (kindIs "map" $value) (and (kindIs "string" $value) (trim $value)) }}
{{- $p = append $p (dict "variable" $whole "text" (printf "the URL in %sCHECK says it already: leave it out" $prefix)) }}
{{- end }}
{{- end }}
{{- range $kind.contradictions }}
{{- $when := dict }}
{{- range $rest, $pattern := .when }}{{- $_ := set $when (printf "%s%s" $prefix $rest) $pattern }}{{- end }}
{{- $whole := list }}
{{- range .variables }}{{- $whole = append $whole (printf "%s%s" $prefix .) }}{{- end }}
{{- $contradictions = append $contradictions (dict "variables" $whole "when" $when "notBelow" (ternary (printf "%s%s" $prefix .notBelow) "" (not (empty .notBelow))) "refusal" (replace "{NAME}_" $prefix .refusal)) }}
{{- end }}
{{- end }}
{{- $camel := "" }}
{{- range splitList "-" $name }}{{- $camel = printf "%s%s" $camel (title .) }}{{- end }}
{{- with get $camels $camel }}
{{- $p = append $p (dict "variable" "HEALTH_SERVICES" "service" $name "text" (printf "%s and %s are both %s in the reasons of Events: choose another name for one of them" . $name $camel)) }}
{{- end }}
{{- $_ := set $camels $camel $name }}
{{- end }}
{{- end }}
{{- if gt (len $seen) (int $rules.maxServices) }}
{{- $p = append $p (dict "variable" "HEALTH_SERVICES" "text" (printf "there are %d services, and the sidecar takes %d: leave some out" (len $seen) (int $rules.maxServices))) }}
{{- end }}
{{- dict "variables" $variables "contradictions" $contradictions "problems" $p | toJson }}
{{- end }}

{{/* {value} as it counts, or {problem}, as JSON. An empty text counts as not set. Takes {rules,
     rule, text}. */}}
{{- define "reims-health.variables.judge" -}}
{{- $rule := .rule -}}
{{- $text := .text -}}
{{- if not $rule.secret }}{{- $text = trim $text }}{{- end -}}
{{- $result := dict "value" $text -}}
{{- $format := get .rules.formats (default "" $rule.format) -}}
{{- if not $text }}
{{- else if and (not $rule.secret) (regexMatch "\\p{Cc}" $text) }}
{{- $result = dict "problem" "the value holds a line break or another control character" }}
{{- else if $rule.number }}
{{- $n := atoi $text }}
{{- if or (not (regexMatch "^[+-]?[0-9]{1,18}$" $text)) (lt $n (int $rule.number.min)) (gt $n (int $rule.number.max)) }}
{{- $result = dict "problem" (printf "%s is not a whole number from %d to %d" (include "reims-health.quoted" $text) (int $rule.number.min) (int $rule.number.max)) }}
{{- end }}
{{- else if $rule.duration }}
{{- $ns := include "reims-health.variables.nanoseconds" $text }}
{{- if not $ns }}
{{- $result = dict "problem" (printf "%s is not a duration: give a number and its unit, such as 500ms, 5s or 1m" (include "reims-health.quoted" $text)) }}
{{- else if or (lt (int64 $ns) 0) (and (eq (int64 $ns) 0) (not $rule.duration.zero)) }}
{{- $result = dict "problem" (printf "%s is not a duration %s" (include "reims-health.quoted" $text) (ternary "of 0s or above" "above 0s" (default false $rule.duration.zero))) }}
{{- else if gt (int64 $ns) (mul (int64 $rule.duration.max) 1000000000) }}
{{- $result = dict "problem" (printf "%s is longer than %s" (include "reims-health.quoted" $text) (ternary "24h" (printf "%ds" (int64 $rule.duration.max)) (eq (int64 $rule.duration.max) 86400))) }}
{{- end }}
{{- else if or $format $rule.list }}
{{- $items := list $text }}
{{- if $rule.list }}{{- $items = splitList "," $text }}{{- end }}
{{- $seen := dict }}
{{- range $item := $items }}
{{- if $rule.list }}{{- $item = trim $item }}{{- end }}
{{- if $rule.lower }}{{- $item = lower $item }}{{- end }}
{{- if $result.problem }}
{{- else if and $rule.list (not $item) }}
{{- $result = dict "problem" (printf "%s has an empty item: separate items by one comma" (include "reims-health.quoted" $text)) }}
{{- else if and $format (or (not (regexMatch $format.pattern $item)) (and $format.not (regexMatch $format.not $item))) }}
{{- $result = dict "problem" (printf "%s %s" (ternary "the value" (include "reims-health.quoted" $item) (or (default false $rule.secret) (eq $rule.format "path"))) $format.refusal) }}
{{- else }}
{{- if and $format $format.counts }}{{- $item = regexReplaceAll $format.counts $item "${1}${2}" }}{{- end }}
{{- if and $rule.list (hasKey $seen $item) }}{{- $result = dict "problem" (printf "%s is listed twice" (include "reims-health.quoted" $item)) }}{{- end }}
{{- $_ := set $seen $item true }}
{{- if and $rule.lower (not $rule.list) (not $result.problem) }}{{- $_ := set $result "value" $item }}{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $result }}
{{- end }}

{{/* Nanoseconds of a duration as Go writes it; nothing where it is none. */}}
{{- define "reims-health.variables.nanoseconds" -}}
{{- if regexMatch "^[+-]?0$" . }}0
{{- else if regexMatch "^[+-]?(?:(?:[0-9]{1,12}(?:\\.[0-9]*)?|\\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+$" . }}
{{- $sum := 0 | int64 }}
{{- $factors := dict "ns" 1 "us" 1000 "µs" 1000 "μs" 1000 "ms" 1000000 "s" 1000000000 "m" 60000000000 "h" 3600000000000 }}
{{- range regexFindAll "[0-9.]+[a-zµμ]+" . -1 }}
{{- $number := regexFind "^[0-9.]+" . }}
{{- $factor := get $factors (trimPrefix $number .) | float64 }}
{{- if gt (mulf (float64 $number) $factor) 1e17 }}{{- $sum = add $sum 100000000000000000 }}{{- else }}{{- $sum = add $sum (mulf (float64 $number) $factor | floor | int64) }}{{- end }}
{{- end }}
{{- if hasPrefix "-" . }}{{- $sum = sub 0 $sum }}{{- end }}
{{- $sum }}
{{- end }}
{{- end }}

{{/* A value within a sentence; not one that could carry credentials. */}}
{{- define "reims-health.quoted" -}}
{{- if regexMatch "[@=\r\n]" . }}the value{{ else if gt (len .) 60 }}{{ trunc 60 . | quote }}…{{ else }}{{ quote . }}{{ end }}
{{- end }}
