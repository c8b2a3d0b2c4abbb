{{/* A number as people write it: Helm reads numbers of files as floats. */}}
{{- define "reims-health.number" -}}
{{- if eq (floor .) (float64 .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Bytes of a Kubernetes quantity; empty where it is none. */}}
{{- define "reims-health.bytes" -}}
{{- $text := . -}}
{{- if or (kindIs "float64" .) (kindIs "int" .) (kindIs "int64" .) }}{{- $text = printf "%d" (int64 .) }}{{- end }}
{{- $text = toString $text -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$" $text -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $factors := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- printf "%d" (mulf (float64 $number) (get $factors $unit | float64) | floor | int64) }}
{{- end }}
{{- end }}

{{/* GOMEMLIMIT for a container's resources: nine tenths of the memory limit, in MiB (Go
     knows no Mi), so that the collector works harder before the kernel kills. */}}
{{- define "reims-health.gomemlimit" -}}
{{- $limit := get (default dict (get (default dict .) "limits")) "memory" -}}
{{- if $limit -}}
{{- with include "reims-health.bytes" $limit -}}
{{- printf "%dMiB" (div (mul (int64 .) 9) 10485760) }}
{{- end }}
{{- end }}
{{- end }}
