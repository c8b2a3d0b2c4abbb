{{/* Keys and types of the values, by files/values.json, which hack/chart/values makes from the
     comments of values.yaml. values.schema.json leaves to this what it could say only in words about
     itself. Every problem is told, each with what to write instead. */}}

{{- define "reims-health.shape" -}}
{{- $rules := .Files.Get "files/values.json" | fromJson -}}
{{- with include "reims-health.shape.check" (dict "at" "" "rule" $rules.values "value" .Values "rules" $rules) | fromJsonArray -}}
{{- $message := printf "values of %s:\n- %s" $.Chart.Name (join "\n- " .) -}}
{{- if contains " is null, which it cannot be" $message }}
{{- $message = printf "%s\nWhere no values of yours set them to null, the release has those of an older chart, as after helm upgrade --reuse-values: upgrade with --reset-then-reuse-values (Helm 3.14 or newer), which adds the defaults of this chart." $message }}
{{- end }}
{{- fail $message }}
{{- /* helm lint goes on after fail, and a template that is not there ends it. */}}
{{- include $message . }}
{{- end }}
{{- end }}

{{/* What is wrong with a value, as a list of sentences in JSON. Takes {at, rule, value, rules}. */}}
{{- define "reims-health.shape.check" -}}
{{- $c := . -}}
{{- $rule := .rule -}}
{{- $value := .value -}}
{{- $p := list -}}
{{- $type := include "reims-health.shape.type" $value -}}
{{- $types := $rule.type -}}
{{- $wrong := "" -}}
{{- if and $rule.enum (not (has $value $rule.enum)) }}
{{- $wrong = "value" }}
{{- else if and $types (not (has $type $types)) (not (and (eq $type "integer") (has "number" $types))) }}
{{- $wrong = "type" }}
{{- else if eq $type "string" }}
{{- if or (and $rule.pattern (not (regexMatch $rule.pattern $value))) (lt (len $value) (int $rule.minLength)) (and $rule.maxLength (gt (len $value) (int $rule.maxLength))) }}{{- $wrong = "value" }}{{- end }}
{{- else if or (eq $type "integer") (eq $type "number") }}
{{- if or (and (hasKey $rule "minimum") (lt (float64 $value) (float64 $rule.minimum))) (and (hasKey $rule "maximum") (gt (float64 $value) (float64 $rule.maximum))) }}{{- $wrong = "value" }}{{- end }}
{{- else if eq $type "array" }}
{{- if or (and $rule.maxItems (gt (len $value) (int $rule.maxItems))) (and $rule.uniqueItems (ne (len (uniq $value)) (len $value))) }}{{- $wrong = "value" }}{{- end }}
{{- if $rule.items }}
{{- range $i, $item := $value }}
{{- $p = concat $p (include "reims-health.shape.check" (dict "at" (printf "%s[%d]" $c.at $i) "rule" $rule.items "value" $item "rules" $c.rules) | fromJsonArray) }}
{{- end }}
{{- end }}
{{- else if eq $type "object" }}
{{- $prefix := ternary "" (printf "%s." .at) (eq .at "") -}}
{{- range $name := $rule.required }}
{{- if not (hasKey $value $name) }}
{{- $one := get $rule.keys $name }}
{{- $path := printf "%s%s" $prefix $name }}
{{- if hasKey $one "example" }}
{{- $p = append $p (printf "%s is null, which it cannot be: leave it out for the default, %s." $path (toJson $one.example)) }}
{{- else if $one.keys }}
{{- $p = append $p (printf "%s is null, which it cannot be: leave it out for the defaults of its values." $path) }}
{{- else }}
{{- /* A list has no names that null could have dropped. */}}
{{- $p = append $p (ternary (printf "%s is missing." $path) (printf "%s is null, which it cannot be: leave it out for the default." $path) (contains "]" $path)) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $inner := $value }}
{{- $path := printf "%s%s" $prefix $name }}
{{- if hasKey (default dict $rule.keys) $name }}
{{- $p = concat $p (include "reims-health.shape.check" (dict "at" $path "rule" (get $rule.keys $name) "value" $inner "rules" $c.rules) | fromJsonArray) }}
{{- else if $rule.values }}
{{- $p = concat $p (include "reims-health.shape.check" (dict "at" $path "rule" $rule.values "value" $inner "rules" $c.rules) | fromJsonArray) }}
{{- else if and $rule.keys (not $rule.open) }}
{{- $p = append $p (printf "unknown value %s: %s" $path (include "reims-health.shape.suggest" (dict "prefix" $prefix "name" $name "keys" $rule.keys "rules" $c.rules))) }}
{{- end }}
{{- end }}
{{- end }}
{{- if $wrong }}
{{- /* A text in the place of a map may be the token or the password that a Secret should hold. */}}
{{- $shown := include "reims-health.shape.shown" $value -}}
{{- if and (eq $type "string") (has "object" (default list $types)) }}{{- $shown = "a text" }}{{- end }}
{{- $p = append $p (printf "%s is %s, and should be %s%s." .at $shown (include "reims-health.shape.want" $rule) (include "reims-health.shape.example" $c)) }}
{{- end }}
{{- toJson $p }}
{{- end }}

{{/* The type of a value, in the words of JSON Schema. */}}
{{- define "reims-health.shape.type" -}}
{{- if kindIs "invalid" . }}null{{ else if kindIs "map" . }}object{{ else if kindIs "slice" . }}array{{ else if kindIs "string" . }}string{{ else if kindIs "bool" . }}boolean
{{- else if eq (floor .) (float64 .) }}integer{{ else }}number{{ end }}
{{- end }}

{{/* What was given, without what could be a password. */}}
{{- define "reims-health.shape.shown" -}}
{{- $type := include "reims-health.shape.type" . -}}
{{- if eq $type "null" }}null
{{- else if eq $type "object" }}a map
{{- else if eq $type "array" }}a list
{{- else if eq $type "string" }}{{ if eq . "" }}empty{{ else if regexMatch "[@=\r\n]" . }}a text{{ else }}the text {{ include "reims-health.quoted" . }}{{ end }}
{{- else if eq $type "boolean" }}{{ . }}
{{- else }}the number {{ include "reims-health.number" . }}
{{- end }}
{{- end }}

{{/* What a rule takes, in words. */}}
{{- define "reims-health.shape.want" -}}
{{- if .want }}{{ .want }}
{{- else if .enum }}
{{- $words := list -}}
{{- range .enum }}{{- if not (or (kindIs "invalid" .) (kindIs "bool" .)) }}{{- $words = append $words (. | default `""`) }}{{- end }}{{- end -}}
one of {{ uniq $words | join ", " }}
{{- else }}
{{- $words := list -}}
{{- $names := dict "integer" "a whole number" "number" "a number" "boolean" "true or false" "string" "a text" "array" "a list" "object" "a map of values" -}}
{{- range .type }}{{- with get $names . }}{{- $words = append $words . }}{{- end }}{{- end }}
{{- $words | join " or " }}
{{- if and (hasKey . "minimum") (hasKey . "maximum") }} from {{ include "reims-health.number" .minimum }} to {{ include "reims-health.number" .maximum }}
{{- else if hasKey . "minimum" }}, {{ include "reims-health.number" .minimum }} or more
{{- else if hasKey . "maximum" }}, {{ include "reims-health.number" .maximum }} or less
{{- end }}
{{- if .minLength }} that is not empty{{ end }}
{{- if .maxLength }} of at most {{ include "reims-health.number" .maxLength }} characters{{ end }}
{{- if .maxItems }} of at most {{ include "reims-health.number" .maxItems }}{{ end }}
{{- if .uniqueItems }} without repetition{{ end }}
{{- end }}
{{- end }}

{{/* What to write instead, if it can be said: what was given in the right form, or another one. */}}
{{- define "reims-health.shape.example" -}}
{{- $rule := .rule -}}
{{- $types := default list $rule.type -}}
{{- $value := .value -}}
{{- $type := include "reims-health.shape.type" $value -}}
{{- $simple := or (eq $type "boolean") (eq $type "integer") (eq $type "number") -}}
{{- $text := ternary $value "" (eq $type "string") -}}
{{- if and (has "integer" $types) (regexMatch "^[1-9][0-9]{0,8}$" $text) (le (float64 $text) (float64 (default 1e9 $rule.maximum))) (ge (float64 $text) (float64 (default 0 $rule.minimum))) }}, without quotes: {{ .at }}: {{ $text }}
{{- else if and (has "boolean" $types) (has (lower $text) (list "true" "yes" "on" "false" "no" "off")) }}, without quotes: {{ .at }}: {{ has (lower $text) (list "true" "yes" "on") }}
{{- else if and (has "string" $types) $simple (not $rule.pattern) }}, in quotes: {{ .at }}: {{ if eq $type "boolean" }}{{ toString $value | quote }}{{ else }}{{ include "reims-health.number" $value | quote }}{{ end }}
{{- else if and (has "array" $types) (or $simple (and $text (not (regexMatch "[@=\r\n]" $text)))) }}, such as {{ .at }}: [{{ if $text }}{{ $text }}{{ else }}{{ toJson $value }}{{ end }}]
{{- else if hasKey $rule "example" }}, such as {{ .at }}: {{ if kindIs "string" $rule.example }}{{ $rule.example | default `""` }}{{ else }}{{ toJson $rule.example }}{{ end }}
{{- else if and (eq $type "boolean") (hasKey (default dict $rule.keys) "enabled") }}, such as {{ .at }}.enabled: {{ $value }}
{{- else if $rule.keys }}
{{- $key := include "reims-health.shape.typical" $rule.keys }}
{{- with get $rule.keys $key }}, such as {{ $.at }}.{{ $key }}: {{ if kindIs "string" .example }}{{ .example }}{{ else }}{{ toJson .example }}{{ end }}{{ end }}
{{- end }}
{{- end }}

{{/* The key that shows best what a group is about: the first with an example of its own, or with a
     default that is more than a switch. */}}
{{- define "reims-health.shape.typical" -}}
{{- $typical := list -}}
{{- $default := list -}}
{{- range $key, $rule := . }}
{{- if $rule.typical }}{{- $typical = append $typical $key }}{{- end }}
{{- if and (hasKey $rule "example") (not (kindIs "bool" $rule.example)) }}{{- $default = append $default $key }}{{- end }}
{{- end }}
{{- concat $typical $default | first | default "" }}
{{- end }}

{{/* What may be meant by a name that is not known. Takes {prefix, name, keys, rules}. */}}
{{- define "reims-health.shape.suggest" -}}
{{- $c := . -}}
{{- $lower := lower .name -}}
{{- $found := list -}}
{{- range $key, $_ := .keys }}
{{- if eq (lower $key) (regexReplaceAll "[-_ .]" $lower "") }}{{- $found = append $found (printf "%s%s" $c.prefix $key) }}{{- end }}
{{- end }}
{{- if not $found }}
{{- range get .rules.aliases.beside .name | default list }}
{{- if hasKey $c.keys . }}{{- $found = append $found (printf "%s%s" $c.prefix .) }}{{- end }}
{{- end }}
{{- end }}
{{- if and (not $found) (le (len $lower) 40) }}
{{- $most := max 1 (div (len $lower) 3) | int -}}
{{- range $key, $_ := .keys }}
{{- $distance := include "reims-health.shape.distance" (dict "a" $lower "b" (lower $key)) | int }}
{{- if lt $distance $most }}{{- $most = $distance }}{{- $found = list }}{{- end }}
{{- if eq $distance $most }}{{- $found = append $found (printf "%s%s" $c.prefix $key) }}{{- end }}
{{- end }}
{{- end }}
{{- if not $found }}{{- $found = get .rules.aliases.elsewhere .name | default list }}{{- end }}
{{- if not $found }}{{- $found = get .rules.paths $lower | default list }}{{- end }}
{{- if and $found (le (len $found) 4) -}}
did you mean {{ join " or " $found }}?
{{- else if $c.prefix -}}
{{ trimSuffix "." $c.prefix }} has {{ keys $c.keys | sortAlpha | join ", " }}.
{{- else -}}
the values are {{ keys $c.keys | sortAlpha | join ", " }}.
{{- end }}
{{- end }}

{{/* How many letters are missing, too many, others, or swapped with the next one. Takes {a, b}. */}}
{{- define "reims-health.shape.distance" -}}
{{- $a := splitList "" .a -}}
{{- $b := splitList "" .b -}}
{{- $before := list -}}
{{- $row := untilStep 0 (add1 (len $b) | int) 1 -}}
{{- range $i, $x := $a }}
{{- $next := list (add1 $i) }}
{{- range $j, $y := $b }}
{{- $best := min (add1 (index $next $j)) (add1 (index $row (add1 $j | int))) (add (index $row $j) (ternary 0 1 (eq $x $y))) }}
{{- if and $i $j }}
{{- if and (eq $x (index $b (sub $j 1 | int))) (eq $y (index $a (sub $i 1 | int))) }}{{- $best = min $best (add1 (index $before (sub $j 1 | int))) }}{{- end }}
{{- end }}
{{- $next = append $next $best }}
{{- end }}
{{- $before = $row }}
{{- $row = $next }}
{{- end }}
{{- last $row }}
{{- end }}
