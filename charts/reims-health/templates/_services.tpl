{{/* The services that have values of their own, in the order of HEALTH_SERVICES. What the chart
     knows of one is in services/_NAME.tpl, and is nowhere else but in the block NAME of
     values.yaml. Those of the map `services` follow them: services/_named.tpl. */}}
{{- define "reims-health.services.names" -}}
- database
- redis
- minio
- ollama
{{- end }}

{{/* services/_NAME.tpl defines reims-health.service.NAME, which takes the chart's context and
     gives YAML. Paths are those of values below NAME, and variables are without their NAME_:

       title      what the service is called in a sentence
       address    path of the value without which the service is not watched
       port       the port that the sidecar connects to
       variables  {variable: path}. A list is joined by commas; true is "on"; an empty value
                  and false leave the variable out.
       serve      {variable: text} for the sidecar alone. `wait` and `migrate`, which connect to
                  the database as well, do not get them.
       secrets    Secrets that are mounted: [{secret: path of its name, needs: path of a switch
                  without which it is not used, items: [{key: path of the key, file, variable}]}]
       names      paths of values that are names, and that somebody may take for a URL
       problems   sentences about values that would render and then hurt

     This gives one service as JSON: name, title, values, address, watched, port; env and serve with
     whole names; secrets as sources of a volume, each with its value's path; sets, the value that
     sets each variable; and by the paths of their values secretNames, keys and names. Takes
     {root, name}. */}}
{{- define "reims-health.service" -}}
{{- $name := .name -}}
{{- $s := include (printf "reims-health.service.%s" $name) .root | fromYaml -}}
{{- with $s.Error }}{{- fail (printf "services/_%s.tpl: %s" $name .) }}{{- end }}
{{- $at := dict -}}
{{- range $key, $value := get .root.Values $name }}
{{- $_ := set $at $key $value }}
{{- if kindIs "map" $value }}{{- range $inner, $value := $value }}{{- $_ := set $at (printf "%s.%s" $key $inner) $value }}{{- end }}{{- end }}
{{- end }}
{{- $env := dict -}}
{{- $sets := dict -}}
{{- range $variable, $path := $s.variables }}
{{- $variable = printf "%s_%s" (upper $name) $variable }}
{{- $_ := set $sets $variable (printf "%s.%s" $name $path) }}
{{- $value := get $at $path }}
{{- if kindIs "slice" $value }}{{- $value = join "," $value }}
{{- else if kindIs "bool" $value }}{{- $value = ternary "on" "" $value }}
{{- else if kindIs "invalid" $value }}{{- $value = "" }}
{{- else if not (kindIs "string" $value) }}{{- $value = int64 $value | toString }}{{- end }}
{{- with $value }}{{- $_ := set $env $variable . }}{{- end }}
{{- end }}
{{- $serve := dict -}}
{{- range $variable, $text := $s.serve }}{{- $_ := set $serve (printf "%s_%s" (upper $name) $variable) $text }}{{- end }}
{{- $problems := default list $s.problems -}}
{{- $secrets := list -}}
{{- $secretNames := dict -}}
{{- $keys := dict -}}
{{- $dir := include "reims-health.secretsDir" .root -}}
{{- range $s.secrets }}
{{- $path := printf "%s.%s" $name .secret }}
{{- $secret := get $at .secret }}
{{- $_ := set $secretNames $path $secret }}
{{- $used := $secret }}
{{- if and .needs (not (get $at .needs)) }}
{{- $used = "" }}
{{- if $secret }}
{{- $problems = append $problems (printf "%s is set and %s.%s is not: the connection would not be encrypted. Set it to true, or leave the Secret out." $path $name .needs) }}
{{- end }}
{{- end }}
{{- $items := list }}
{{- range .items }}
{{- $key := get $at .key }}
{{- $_ := set $keys (printf "%s.%s" $name .key) $key }}
{{- $variable := printf "%s_%s" (upper $name) .variable }}
{{- $_ := set $sets $variable (printf "%s.%s" $name .key) }}
{{- if and $used $key }}
{{- $items = append $items (dict "key" $key "path" (printf "%s/%s" $name .file)) }}
{{- $_ := set $env $variable (printf "%s/%s/%s" $dir $name .file) }}
{{- end }}
{{- end }}
{{- with $items }}{{- $secrets = append $secrets (dict "value" $path "secret" $secret "items" .) }}{{- end }}
{{- end }}
{{- $names := dict -}}
{{- range $s.names }}{{- $_ := set $names (printf "%s.%s" $name .) (get $at .) }}{{- end }}
{{- dict "name" $name "title" $s.title "values" (get .root.Values $name) "address" (printf "%s.%s" $name $s.address) "watched" (get $at $s.address | empty | not) "port" $s.port
  "env" $env "serve" $serve "secrets" $secrets "sets" $sets "secretNames" $secretNames "keys" $keys "names" $names "problems" $problems | toJson }}
{{- end }}

{{/* All services, as a list in JSON. */}}
{{- define "reims-health.services.all" -}}
{{- $all := list -}}
{{- range include "reims-health.services.names" . | fromYamlArray }}
{{- $all = append $all (include "reims-health.service" (dict "root" $ "name" .) | fromJson) }}
{{- end }}
{{- concat $all (include "reims-health.services.named" . | fromJsonArray) | toJson }}
{{- end }}

{{/* The names of those that are watched: HEALTH_SERVICES. */}}
{{- define "reims-health.services" -}}
{{- $names := list -}}
{{- range include "reims-health.services.all" . | fromJsonArray }}
{{- if .watched }}{{- $names = append $names .name }}{{- end }}
{{- end }}
{{- join "," $names }}
{{- end }}
