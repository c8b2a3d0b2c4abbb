{{/* Combinations of values that would render but not work, with one message each, all reported at once.
     Helm checks single values against values.schema.json. */}}
{{- define "reims-health-fleet.validate" -}}
{{- $v := .Values -}}
{{- $p := list -}}
{{- $ports := list (int $v.ports.page) (int $v.ports.metrics) (int $v.ports.health) -}}
{{- if ne (len (uniq $ports)) 3 }}
{{- $p = append $p "ports.page, ports.metrics and ports.health must be three different ports." }}
{{- end }}
{{- if and $v.rbac.create (eq (include "reims-health-fleet.serviceAccountName" .) "default") }}
{{- $p = append $p "rbac.create would give its rights to the ServiceAccount default, which every Pod of the namespace can use: set serviceAccount.create to true, or serviceAccount.name to another ServiceAccount." }}
{{- end }}
{{- with include "reims-health-fleet.memoryLimit" . }}
{{- $limit := $v.resources.limits.memory }}
{{- if eq . "0" }}
{{- $p = append $p (printf "resources.limits.memory is %v, which is not a valid memory limit: write 128Mi, 1Gi, 128M or bytes." $limit) }}
{{- else if lt (int64 .) 67108864 }}
{{- $p = append $p (printf "resources.limits.memory is %v: under 64Mi the kernel would kill the program. 128Mi is the default." $limit) }}
{{- end }}
{{- end }}
{{- if and $v.monitoring.podMonitor.enabled $v.monitoring.serviceMonitor.enabled }}
{{- $p = append $p "monitoring.podMonitor and monitoring.serviceMonitor are both enabled, so each replica would be scraped twice: disable one of them." }}
{{- end }}
{{- $seen := dict }}
{{- range $name, $_ := include "reims-health-fleet.env" . | fromYaml }}{{- $_ := set $seen $name "the chart: set the value that it comes from" }}{{- end }}
{{- range $v.extraEnv }}
{{- $name := .name }}
{{- with get $seen $name }}
{{- $p = append $p (printf "extraEnv sets %s, which is already set by %s." $name .) }}
{{- end }}
{{- $_ := set $seen $name "the same list: remove one of them" }}
{{- end }}
{{- if $p }}{{- fail (printf "values of %s:\n- %s" .Chart.Name (join "\n- " $p)) }}{{- end }}
{{- end }}
