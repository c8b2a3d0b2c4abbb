{{/* As in _validate.tpl, about what is added to Pods, and must not be there already. The API
     server would refuse it, in words about another object. */}}

{{/* The names that this chart gives, in a Pod of its own. */}}
{{- define "reims-health.problems.pod" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $seen := dict "api" true "reims-health" true "wait-for-schema" true -}}
{{- range concat (default list $v.pod.initContainers) (default list $v.pod.containers) }}
{{- if hasKey $seen .name }}
{{- $p = append $p (printf "pod.containers or pod.initContainers has %s, the name of another container of the Pod: give it another." .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- $seen = dict }}
{{- range $v.pod.volumes }}
{{- if or (hasKey $seen .name) (hasPrefix "reims-health-" .name) }}
{{- $p = append $p (printf "pod.volumes has %s, which is there twice, or is a name that this chart keeps for itself (reims-health-…): give it another." .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- toYaml $p }}
{{- end }}

{{- define "reims-health.problems.mounts" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $seen := dict -}}
{{- range $v.migrations.volumes }}
{{- if hasKey $seen .name }}
{{- $p = append $p (printf "migrations.volumes has %s twice: give one of them another name." .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- if hasPrefix "reims-health-" .name }}
{{- $p = append $p (printf "migrations.volumes has %s, a name that this chart keeps for itself (reims-health-…): give it another." .name) }}
{{- end }}
{{- end }}
{{- $secrets := list (dict "mountPath" (include "reims-health.secretsDir" .)) -}}
{{- range $value, $mounts := dict
  "sidecar.extraVolumeMounts" (include "reims-health.volumeMounts" . | fromYamlArray)
  "migrations.volumeMounts" (concat $secrets (default list $v.migrations.volumeMounts))
  "api.volumeMounts" $v.api.volumeMounts }}
{{- $seen := dict }}
{{- range $mounts }}
{{- $path := trimSuffix "/" .mountPath }}
{{- if hasKey $seen $path }}
{{- $p = append $p (printf "%s mounts %s, where something is mounted already: choose another path." $value $path) }}
{{- end }}
{{- $_ := set $seen $path true }}
{{- end }}
{{- end }}
{{- toYaml $p }}
{{- end }}
