{{/* The services of the map `services`, in the order of their names, as a list in JSON. Each is as
     reims-health.service gives one of the others. What a kind has (its variables, which of them
     are secrets) is the program's own data, from files/configuration.json: see SchemeRules in
     pkg/config. A service with a name or without a check that the program could not take is left
     out of HEALTH_SERVICES, and its problems say why. */}}
{{- define "reims-health.services.named" -}}
{{- $all := list -}}
{{- with .Values.services }}
{{- $rules := $.Files.Get "files/configuration.json" | fromJson }}
{{- range $name, $values := . }}
{{- if not (kindIs "invalid" $values) }}
{{- $all = append $all (include "reims-health.services.one" (dict "root" $ "rules" $rules "name" $name "values" $values) | fromJson) }}
{{- end }}
{{- end }}
{{- end }}
{{- toJson $all }}
{{- end }}

{{/* One of them. Takes {root, rules, name, values}. */}}
{{- define "reims-health.services.one" -}}
{{- $name := .name -}}
{{- $at := printf "services.%s" $name -}}
{{- $p := list -}}
{{- $v := .values -}}
{{- if not (kindIs "map" $v) }}
{{- $v = dict }}
{{- $p = append $p (printf "%s is not a map: set %s.check to a URL." $at $at) }}
{{- end -}}
{{- $format := .rules.formats.service -}}
{{- $prefix := printf "%s_" (upper $name | replace "-" "_") -}}
{{- $valid := false -}}
{{- if not (regexMatch $format.pattern $name) }}
{{- $p = append $p (printf "%s: %s %s; all in lower case." $at (quote $name) $format.refusal) }}
{{- else if regexMatch $format.not $name }}
{{- $p = append $p (printf "%s: the sidecar uses the name %s for something else: choose another one." $at $name) }}
{{- else if hasKey .rules.variables (printf "%sREADINESS" $prefix) }}
{{- $p = append $p (printf "%s: %s has values of its own, at %s of values.yaml: set those, or choose another name." $at $name $name) }}
{{- else }}
{{- $valid = true }}
{{- end -}}
{{- $check := toString (default "" $v.check) | trim -}}
{{- if and (not $check) (kindIs "map" .values) }}
{{- $p = append $p (printf "%s.check is missing: give a URL such as https://HOST/PATH, with one of the schemes %s." $at (keys .rules.schemes | sortAlpha | join ", ")) }}
{{- end -}}
{{- $scheme := regexFind "^[A-Za-z0-9+]+://" $check | trimSuffix "://" | lower -}}
{{- $kind := (default dict (get .rules.schemes $scheme)).variables | default dict -}}
{{- $known := hasKey .rules.schemes $scheme -}}
{{- $env := dict (printf "%sCHECK" $prefix) $check -}}
{{- $sets := dict (printf "%sCHECK" $prefix) (printf "%s.check" $at) -}}
{{- range $key, $variable := dict "readiness" "READINESS" "readinessGrace" "READINESS_GRACE" }}
{{- $_ := set $sets (printf "%s%s" $prefix $variable) (printf "%s.%s" $at $key) }}
{{- with get $v $key }}{{- $_ := set $env (printf "%s%s" $prefix $variable) (toString .) }}{{- end }}
{{- end }}
{{- range $key := list "interval" "timeout" "failureThreshold" "successThreshold" "degradedLatency" "connectionLifetime" }}
{{- $_ := set $sets (printf "%sPROBE_%s" $prefix (snakecase $key | upper)) (printf "%s.probe.%s" $at $key) }}
{{- end }}
{{- $_ := set $sets (printf "%sSHARED_FAULT" $prefix) (printf "%s.sharedFault" $at) -}}
{{- $mounts := include "reims-health.services.mounts" (dict "dir" (include "reims-health.secretsDir" .root) "at" $at "name" $name "prefix" $prefix "scheme" $scheme "kind" $kind "known" $known "values" $v) | fromJson -}}
{{- $p = concat $p $mounts.problems -}}
{{- $env = merge $env $mounts.env -}}
{{- $sets = merge $sets $mounts.sets -}}
{{- $more := default dict $v.env -}}
{{- if not (kindIs "map" $more) }}
{{- $more = dict }}
{{- $p = append $p (printf "%s.env is not a map of settings and their values." $at) }}
{{- end -}}
{{- range $variable, $value := $more }}
{{- $whole := printf "%s%s" $prefix $variable }}
{{- $base := trimSuffix "_FILE" $variable }}
{{- $rule := get $kind $variable }}
{{- $isFile := and (not $rule) (ne $base $variable) (default false (default dict (get $kind $base)).secret) }}
{{- if kindIs "slice" $value }}{{- $value = join "," $value }}
{{- else if kindIs "float64" $value }}{{- $value = ternary (int64 $value | toString) (toString $value) (eq (int64 $value | float64) $value) }}
{{- else if kindIs "invalid" $value }}{{- $value = "" }}
{{- else }}{{- $value = toString $value }}{{- end }}
{{- if not (regexMatch "^[A-Z][A-Z0-9_]*$" $variable) }}
{{- $p = append $p (printf "%s.env: %s is not the name of a setting: upper case, without the service's own name, such as EXPECT_STATUS." $at (quote $variable)) }}
{{- else if or (has $variable (list "CHECK" "READINESS" "READINESS_GRACE" "SHARED_FAULT")) (hasPrefix "PROBE_" $variable) }}
{{- $p = append $p (printf "%s.env: %s has a value of its own: set %s." $at $variable (get $sets $whole | default (printf "%s.probe" $at))) }}
{{- else if or (hasKey $env $whole) (and (not $isFile) (hasKey $env (printf "%s_FILE" $whole))) }}
{{- $p = append $p (printf "%s.env: %s is set twice, by %s too: leave one out." $at $variable (get $sets $whole | default (get $sets (printf "%s_FILE" $whole)))) }}
{{- else if and $rule $rule.secret }}
{{- $p = append $p (printf "%s.env: %s is a secret, which would be in plain text in the Deployment: put it into a Secret, and name that in %s.existingSecret and its key in %s.%sKey." $at $variable $at $at (lower $variable | camelcase | untitle)) }}
{{- else if and $known (not $rule) (not $isFile) }}
{{- $settings := list }}
{{- range $setting, $rule := $kind }}
{{- if not (or $rule.secret (has $setting (list "CHECK" "READINESS" "READINESS_GRACE" "SHARED_FAULT")) (hasPrefix "PROBE_" $setting)) }}{{- $settings = append $settings $setting }}{{- end }}
{{- end }}
{{- $p = append $p (printf "%s.env: a check with %s has no setting %s. It has %s." $at $scheme $variable (join ", " $settings | default "none")) }}
{{- else if $value }}
{{- $_ := set $env $whole $value }}
{{- $_ := set $sets $whole (printf "%s.env.%s" $at $variable) }}
{{- end }}
{{- end }}
{{- if and (hasKey $kind "ACCESS_KEY") (not (hasKey $env (printf "%sACCESS_KEY_FILE" $prefix))) (not $mounts.problems) }}
{{- $p = append $p (printf "%s.existingSecret is missing: a check with %s signs each request. Name a Secret with the keys access-key and secret-key." $at $scheme) }}
{{- end }}
{{- $port := regexFind ":[0-9]+$" (regexReplaceAll "^[^:]*://([^/?#]*).*$" $check "${1}") | trimPrefix ":" | default (get (dict "http" "80" "https" "443" "postgres" "5432" "redis" "6379" "rediss" "6379" "s3" "80" "s3s" "443" "ollama" "11434") $scheme) | default "0" | int }}
{{- dict "name" $name "title" $name "address" (printf "%s.check" $at) "watched" (and $valid (ne $check "")) "port" $port "values" (pick $v "probe" "sharedFault")
  "env" $env "serve" dict "secrets" $mounts.secrets "sets" $sets "secretNames" $mounts.secretNames "keys" $mounts.keys "names" dict "problems" (default list $p) | toJson }}
{{- end }}

{{/* What a service has of Secrets: {secrets, env, sets, secretNames, keys, problems}, as JSON. The
     keys are those of the values: of a variable such as ACCESS_KEY it is accessKeyKey, and its
     default access-key. A client's certificate has certKey and keyKey. Takes {dir, at, name, prefix,
     scheme, kind, known, values}. */}}
{{- define "reims-health.services.mounts" -}}
{{- $c := . -}}
{{- $v := .values -}}
{{- $p := list -}}
{{- $env := dict -}}
{{- $sets := dict -}}
{{- $secrets := list -}}
{{- $secretNames := dict -}}
{{- $keys := dict -}}
{{- /* {key of the values: [{variable, file}]}: the first variable that the kind has is meant. */}}
{{- $meant := dict "passwordKey" (list "PASSWORD") "tokenKey" (list "TOKEN") "accessKeyKey" (list "ACCESS_KEY") "secretKeyKey" (list "SECRET_KEY")
  "sentinelPasswordKey" (list "SENTINEL_PASSWORD") "certKey" (list "CERT_FILE" "SSLCERT") "keyKey" (list "KEY_FILE" "SSLKEY") -}}
{{- $files := dict "certKey" "tls.crt" "keyKey" "tls.key" -}}
{{- $given := dict -}}
{{- range $value, $_ := $meant }}{{- with get $v $value }}{{- $_ := set $given $value (toString .) }}{{- end }}{{- end }}
{{- if and $v.existingSecret (not $given) }}
{{- range $value, $key := dict "passwordKey" "password" "tokenKey" "token" "accessKeyKey" "access-key" "secretKeyKey" "secret-key" }}
{{- if hasKey $c.kind (get $meant $value | first) }}{{- $_ := set $given $value $key }}{{- end }}
{{- end }}
{{- if and .known (not $given) }}
{{- $p = append $p (printf "%s.existingSecret is set, and a check with %s has no login: leave it out. The certificates of a CA have %s.caSecret." .at .scheme .at) }}
{{- end }}
{{- end -}}
{{- if and $given (not $v.existingSecret) }}
{{- $p = append $p (printf "%s.%s names a key and no Secret: set %s.existingSecret." .at (keys $given | sortAlpha | first) .at) }}
{{- end -}}
{{- $items := list -}}
{{- range $value, $key := $given }}
{{- $path := printf "%s.%s" $c.at $value }}
{{- $variable := "" }}
{{- range get $meant $value }}{{- if and (hasKey $c.kind .) (not $variable) }}{{- $variable = . }}{{- end }}{{- end }}
{{- if and $c.known (not $variable) }}
{{- $p = append $p (printf "%s: a check with %s has no %s: leave it out." $path $c.scheme (trimSuffix "Key" $value | snakecase | replace "_" " ")) }}
{{- else if $variable }}
{{- $file := get $files $value | default (lower $variable | replace "_" "-") }}
{{- if not (hasKey $files $value) }}{{- $variable = printf "%s_FILE" $variable }}{{- end }}
{{- $_ := set $keys $path $key }}
{{- $_ := set $sets (printf "%s%s" $c.prefix $variable) $path }}
{{- $_ := set $env (printf "%s%s" $c.prefix $variable) (printf "%s/%s/%s" $c.dir $c.name $file) }}
{{- $items = append $items (dict "key" $key "path" (printf "%s/%s" $c.name $file)) }}
{{- end }}
{{- end }}
{{- with $v.existingSecret | default "" | toString }}
{{- $_ := set $secretNames (printf "%s.existingSecret" $c.at) . }}
{{- if $items }}{{- $secrets = append $secrets (dict "value" (printf "%s.existingSecret" $c.at) "secret" . "items" $items) }}{{- end }}
{{- end }}
{{- if and $v.caKey (not $v.caSecret) }}
{{- $p = append $p (printf "%s.caKey names a key and no Secret: set %s.caSecret." .at .at) }}
{{- end -}}
{{- with $v.caSecret | default "" | toString }}
{{- $path := printf "%s.caSecret" $c.at }}
{{- $key := default "ca.crt" $v.caKey | toString }}
{{- $variable := ternary "SSLROOTCERT" "CA_FILE" (hasKey $c.kind "SSLROOTCERT") }}
{{- $_ := set $secretNames $path . }}
{{- $_ := set $keys (printf "%s.caKey" $c.at) $key }}
{{- if and $c.known (not (hasKey $c.kind $variable)) }}
{{- $p = append $p (printf "%s is set, and a check with %s verifies no certificate: leave it out." $path $c.scheme) }}
{{- else }}
{{- $_ := set $sets (printf "%s%s" $c.prefix $variable) $path }}
{{- $_ := set $env (printf "%s%s" $c.prefix $variable) (printf "%s/%s/ca.crt" $c.dir $c.name) }}
{{- $secrets = append $secrets (dict "value" $path "secret" . "items" (list (dict "key" $key "path" (printf "%s/ca.crt" $c.name)))) }}
{{- end }}
{{- end }}
{{- dict "secrets" $secrets "env" $env "sets" $sets "secretNames" $secretNames "keys" $keys "problems" $p | toJson }}
{{- end }}
