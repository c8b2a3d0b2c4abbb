//go:build e2e

package chart_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// hostileValues are laid over ci/hook-values.yaml. Kubernetes refuses what most of them would
// render, each for another reason; the chart has to be the first to say so.
var hostileValues = []string{
	// Names.
	"fullnameOverride: a-name-that-is-cut-inside-its-hyphens-because--of-it", "fullnameOverride: a.b..c", "nameOverride: 1st", "fullnameOverride: '1'",
	"serviceAccount: {name: Reims}", "serviceAccount: {name: 'system:x'}", "serviceAccount: {name: -a}", "serviceAccount: {create: false, name: 'a_b'}",
	"pod: {priorityClassName: High Prio}", "pod: {runtimeClassName: g/visor}", "pod: {schedulerName: 'my scheduler'}", "migrations: {priorityClassName: UP}",
	"imagePullSecrets: [{name: My_Secret}]", "global: {imagePullSecrets: ['a b']}", "global: {imagePullSecrets: [{name: ''}]}", "imagePullSecrets: [{name: ''}]",
	"ingress: {enabled: true, hosts: ['http://a.example']}", "ingress: {enabled: true, hosts: ['a.example:443']}", "ingress: {enabled: true, hosts: ['A.example']}",
	"ingress: {enabled: true, hosts: ['10.0.0.1']}", "ingress: {enabled: true, hosts: ['*']}", "ingress: {enabled: true, hosts: ['*.*.example']}", "ingress: {enabled: true, hosts: ['a.example/x']}",
	"ingress: {enabled: true, hosts: ['']}", "ingress: {enabled: true, hosts: ['a.example', 'a.example']}", "ingress: {enabled: true, hosts: ['a.*.example']}",
	"ingress: {enabled: true, className: 'Nginx'}", "ingress: {enabled: true, tls: [{hosts: ['https://a']}]}", "ingress: {enabled: true, tls: [{secretName: A_b}]}",
	"ingress: {enabled: true, tls: [{host: a}]}", "ingress: {enabled: true, tls: [{hosts: a}]}", "ingress: {enabled: true, tls: [{secretName: [a]}]}",
	"ingress: {enabled: true, className: nginx, annotations: {kubernetes.io/ingress.class: nginx}}",
	"commonLabels: {'a b': x}", "commonLabels: {a: 'b c'}", "commonLabels: {a/b/c: x}", "commonLabels: {a: '-b'}", "pod: {labels: {a: 'x y'}}", "pod: {labels: {'': x}}",
	"pod: {annotations: {'a b': x}}", "service: {annotations: {'/x': y}}", "migrations: {podAnnotations: {'x/': y}}", "test: {annotations: {'a b': c}}", "deployment: {annotations: {'a//b': c}}",
	"pod: {labels: {app.kubernetes.io/name: other}}", "commonLabels: {app.kubernetes.io/instance: other}", "pod: {labels: {reims.io/sidecar: other}}",
	"peers: {enabled: 'yes'}", "peers: {enabled: on}", "peers: {sample: 0}", "peers: {sample: 65}", "peers: {sample: 1.5}", "peers: {timeout: 6s}", "peers: {timeout: 5000ms}", "peers: {timeout: soon}", "peers: {timeout: 1}", "peers: {service: x}", "peers: null",
	"database: {sharedFault: stay}", "database: {sharedFault: null}", "redis: {host: r, readiness: strict, sharedFault: leave}", "deployment: {replicas: 1}\npeers: {enabled: true}", "fullnameOverride: a-name-that-is-as-long-as-the-chart-will-take-of-any-1\npeers: {enabled: true}",
	// Containers.
	"sidecar: {resources: {limits: {memory: 16Gi}, requests: {memory: 32Gi}}}", "sidecar: {resources: {limits: {cpu: 10m}, requests: {cpu: 1}}}", "sidecar: {resources: {limits: {memory: 64Mo}}}",
	"sidecar: {resources: {limits: {memory: -64Mi}}}", "sidecar: {resources: {requests: {cpu: '1,5'}}}", "sidecar: {resources: {requests: {nvidia.com/gpu: 1}}}", "sidecar: {resources: {limits: {nvidia.com/gpu: 1.5}}}",
	"sidecar: {resources: {limit: {memory: 64Mi}}}", "sidecar: {resources: {limits: {foo: 1}}}", "sidecar: {resources: {requests: {hugepages-2Mi: 4Mi}}}", "sidecar: {resources: {claims: [{name: gpu}]}}",
	"sidecar: {resources: {limits: 64Mi}}", "sidecar: {resources: {limits: {memory: 0.5Gi}, requests: {memory: 512Mi}}}", "sidecar: {resources: {limits: {memory: 1e3Mi}}}", "sidecar: {resources: {requests: {memory: 100m}}}",
	"api: {resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}}", "api: {resources: {requests: {cpu: 0.1}, limits: {cpu: 100m}}}", "api: {resources: {requests: {cpu: '0.1m'}}}", "api: {resources: {limits: {memory: null}}}",
	"migrations: {resources: {limits: {memory: 64Mi}, requests: {memory: 65Mi}}}", "migrations: {resources: {requests: {memory: lots}}}", "migrations: {resources: {limits: {ephemeral-storage: 1Gi}, requests: {ephemeral-storage: 2Gi}}}",
	"api: {env: [{name: A, value: 1}]}", "api: {env: [{name: A, value: true}]}", "api: {env: [{name: 1A, value: x}]}", "api: {env: [{name: 'A B', value: x}]}", "api: {env: [{name: A=B, value: x}]}", "api: {env: [{name: A, valu: x}]}",
	"api: {env: [{name: A, value: x, valueFrom: {secretKeyRef: {name: s, key: k}}}]}", "api: {env: [{name: A, valueFrom: {secretKeyRef: {name: s}}}]}", "api: {env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.nam}}}]}",
	"api: {env: [{name: A, valueFrom: {secretRef: {name: s}}}]}", "api: {env: [{name: A, valueFrom: {}}]}", "api: {env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.foo}}}]}", "api: {env: [{name: A, value: [x]}]}",
	"api: {env: [{name: A, value: {b: c}}]}", "api: {env: [{name: A, valueFrom: s}]}", "api: {env: [{name: A, valueFrom: {secretKeyRef: {name: S_, key: k}}}]}", "api: {env: [{name: A, valueFrom: {configMapKeyRef: {name: s, key: 'a/b'}}}]}",
	"sidecar: {extraEnv: [{name: A, value: 8}]}", "migrations: {extraEnv: [{name: A, value: 1.5}]}", "api: {envFrom: [{secretRef: {}}]}", "api: {envFrom: [{secret: {name: a}}]}", "api: {envFrom: [{secretRef: {name: A_b}}]}",
	"api: {envFrom: [{secretRef: {name: a}, configMapRef: {name: b}}]}", "api: {envFrom: [{prefix: '1 ', secretRef: {name: a}}]}", "api: {envFrom: [{}]}",
	"api: {command: python}", "api: {command: [python, 1]}", "api: {args: [--port, 8000]}", "api: {args: [true]}", "api: {image: {repository: 'a b'}}", "api: {image: {tag: 1.0}}", "api: {image: {tag: ' '}}", "image: {tag: 1}",
	"api: {volumeMounts: [{name: data, mountPath: /data}]}", "api: {volumeMounts: [{name: tmp, mountPath: /a}, {name: tmp, mountPath: /a/}], x: y}", "pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: 'a:b'}]}",
	"pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: ''}]}", "pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: /a, subPath: ../x}]}",
	"pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: /a, readonly: true}]}", "pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: /a, readOnly: 'yes'}]}",
	"pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: /a}, {name: tmp, mountPath: /a}]}", "pod: {volumes: [{name: tmp, emptyDir: {}}]}\napi: {volumeMounts: [{name: tmp, mountPath: /a, subPath: x, subPathExpr: y}]}",
	"pod: {volumes: [{name: Tmp, emptyDir: {}}]}", "pod: {volumes: [{name: tmp}]}", "pod: {volumes: [{name: tmp, emptyDir: {}, hostPath: {path: /x}}]}", "pod: {volumes: [{name: tmp, emptydir: {}}]}", "pod: {volumes: [{name: tmp, emptyDir: {sizeLimit: 1MB}}]}",
	"pod: {volumes: [{name: tmp, secret: {name: s}}]}", "pod: {volumes: [{name: tmp, persistentVolumeClaim: {}}]}", "pod: {volumes: [{name: tmp, configMap: {}}]}", "pod: {volumes: [{name: tmp, hostPath: {path: /x, type: dir}}]}",
	"pod: {volumes: [{name: tmp, secret: {secretName: s, defaultMode: 0999}}]}", "pod: {volumes: [{name: tmp, emptyDir: {medium: RAM}}]}", "pod: {volumes: [{name: tmp, persistentVolumeClaim: {claimName: A_b}}]}",
	"migrations: {volumes: [{name: a}]}", "migrations: {volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]}", "migrations: {volumeMounts: [{name: a, mountPath: /a}]}", "migrations: {volumes: [{name: A, emptyDir: {}}]}",
	"sidecar: {extraVolumeMounts: [{name: x, mountPath: /x}]}", "sidecar: {extraVolumeMounts: [{name: x, mountPath: /run/reims-health}]}\npod: {volumes: [{name: x, emptyDir: {}}]}",
	"sidecar: {securityContext: {privileged: true}}", "sidecar: {securityContext: {runAsUser: -1}}", "sidecar: {securityContext: {runAsUser: root}}", "sidecar: {securityContext: {seccompProfile: {type: Localhost}}}", "sidecar: {securityContext: {seccompProfile: {type: runtimedefault}}}",
	"sidecar: {securityContext: {fsGroup: 1}}", "sidecar: {securityContext: {procMount: x}}", "sidecar: {securityContext: {capabilities: {drop: ALL}}}", "api: {securityContext: {runAsUser: 0, runAsNonRoot: true}}", "api: {securityContext: {capabilities: {add: [SYS_ADMIN]}, allowPrivilegeEscalation: false}}",
	"api: {securityContext: {runAsUser: 1.5}}", "api: {securityContext: {seccompProfile: {type: RuntimeDefault, localhostProfile: x}}}", "pod: {securityContext: {runAsUser: -1}}", "pod: {securityContext: {fsGroup: x}}", "pod: {securityContext: {readOnlyRootFilesystem: true}}",
	"pod: {securityContext: {sysctls: [{name: 'a b', value: '1'}]}}", "pod: {securityContext: {fsGroupChangePolicy: Never}}", "pod: {securityContext: {supplementalGroups: 5}}", "pod: {securityContext: {seccompProfile: {type: Localhost}}}", "pod: {securityContext: {windowsOptions: {hostProcess: true}}}",
	// Probes and lifecycle.
	"api: {livenessProbe: {tcpSocket: {port: 8000}}}", "api: {livenessProbe: {httpGet: null, exec: {command: []}}}", "api: {livenessProbe: {httpGet: {path: /x, port: 0}}}", "api: {livenessProbe: {httpGet: {port: null}}}",
	"api: {livenessProbe: {httpGet: {path: /x, port: '8000'}}}", "api: {livenessProbe: {httpGet: {port: http}}}", "api: {livenessProbe: {httpGet: {port: HTTP_API_PORT}}}", "api: {livenessProbe: {httpGet: {scheme: https}}}", "api: {livenessProbe: {httpGet: {path: [x]}}}",
	"api: {livenessProbe: {httpGet: {host: 'http://x'}}}", "api: {livenessProbe: {httpGet: {httpHeaders: [{name: 'a b', value: x}]}}}", "api: {livenessProbe: {httpGet: {httpHeaders: {Host: x}}}}", "api: {livenessProbe: {httpGet: {httpHeaders: [{name: Host}]}}}", "api: {livenessProbe: {httpGet: {httpHeaders: [{name: X, value: 1}]}}}",
	"api: {livenessProbe: {httpGet: null, grpc: {port: api}}}", "api: {livenessProbe: {httpGet: null, grpc: {port: 8000, service: 'x'}}}", "api: {livenessProbe: {httpGet: null, grpc: {port: 0}}}", "api: {livenessProbe: {httpGet: null, exec: {command: 'true'}}}", "api: {livenessProbe: {httpGet: null, exec: {command: [1]}}}",
	"api: {livenessProbe: {periodSeconds: 0}}", "api: {livenessProbe: {periodSeconds: -1}}", "api: {livenessProbe: {periodSeconds: 1.5}}", "api: {livenessProbe: {periodSeconds: '5'}}", "api: {livenessProbe: {timeoutSeconds: 0}}", "api: {livenessProbe: {failureThreshold: 0}}", "api: {livenessProbe: {successThreshold: 2}}",
	"api: {readinessProbe: {successThreshold: 0}}", "api: {livenessProbe: {terminationGracePeriodSeconds: 0}}", "api: {readinessProbe: {terminationGracePeriodSeconds: 5}}", "api: {livenessProbe: {initialDelay: 5}}", "api: {livenessProbe: {initialDelaySeconds: -5}}", "api: {livenessProbe: {periodSeconds: 99999999999}}",
	"api: {livenessProbe: {httpget: {path: /}}}", "api: {startupProbe: {tcpSocket: {host: x}}}", "api: {startupProbe: {httpGet: null, tcpSocket: {port: 70000}}}",
	"api: {preStop: {sleep: {seconds: 31}}}", "api: {preStop: {sleep: {seconds: 0}}}", "api: {preStop: {sleep: {seconds: '5'}}}", "api: {preStop: {sleep: 5}}", "api: {preStop: {exec: {command: [sleep, 5]}}}", "api: {preStop: {httpGet: {path: /}}}", "api: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}", "api: {preStop: {sleep: {}}}",
	"api: {preStop: {httpGet: {port: 8000, path: /x, scheme: http}}}", "api: {preStop: {preStop: {sleep: {seconds: 1}}}}", "api: {drainSeconds: 31}", "pod: {terminationGracePeriodSeconds: 5}", "api: {drainSeconds: 30}\npod: {terminationGracePeriodSeconds: 31}",
	"pod: {containers: [{name: A, image: x}]}", "pod: {containers: [{name: a}]}", "pod: {containers: [{name: api, image: x}]}", "pod: {containers: [{name: a, image: x, ports: [{containerPort: 70000}]}]}", "pod: {containers: [{name: a, image: x, ports: [{name: A_, containerPort: 70}]}]}", "pod: {containers: [{name: a, image: x, ports: [{port: 70}]}]}",
	"pod: {containers: [{name: a, image: x, ports: [{containerPort: 70, name: x}, {containerPort: 71, name: x}]}]}", "pod: {containers: [{name: a, image: x, ports: [{containerPort: '70'}]}]}", "pod: {containers: [{name: a, image: x, imagePullPolicy: always}]}", "pod: {containers: [{name: a, image: x, restartPolicy: Always}]}", "pod: {containers: [{name: a, image: x, images: y}]}",
	"pod: {containers: [{name: a, image: x, terminationMessagePolicy: Logs}]}", "pod: {containers: [{name: a, image: x, env: {A: b}}]}", "pod: {containers: [{name: a, image: x, volumeMounts: [{name: b, mountPath: /b}]}]}", "pod: {containers: [{name: a, image: x, livenessProbe: {}}]}", "pod: {containers: [{name: a, image: x, lifecycle: {preStop: {}}}]}",
	"pod: {containers: [{name: a, image: x, lifecycle: {postStart: {}}}]}", "pod: {containers: [{name: a, image: x, lifecycle: {preStop: {sleep: {seconds: 60}}}}]}", "pod: {containers: [{name: a, image: x, args: [1]}]}", "pod: {containers: [{name: a, image: x, resources: {requests: {cpu: 2}, limits: {cpu: 1}}}]}", "pod: {containers: [{name: a, image: ' x'}]}",
	"pod: {containers: [{name: a, image: x, ports: [{containerPort: 70, protocol: tcp}]}]}", "pod: {containers: [{name: a, image: x, ports: [{containerPort: 70, hostPort: 99999}]}]}", "pod: {containers: [{name: a, image: x, volumeDevices: [{name: b, devicePath: /b}]}]}", "pod: {containers: [{name: a, image: x, workingDir: [a]}]}",
	"pod: {initContainers: [{name: a, image: x, restartPolicy: Never}]}", "pod: {initContainers: [{name: a, image: x, readinessProbe: {exec: {command: [a]}}}]}", "pod: {initContainers: [{name: a, image: x, restartPolicy: always}]}", "pod: {initContainers: [{name: reims-health, image: x}]}", "pod: {initContainers: [{name: a, image: x}, {name: a, image: x}]}",
	"pod: {initContainers: [{name: a, image: x, restartPolicy: Always, startupProbe: {exec: {command: [a]}}}]}",
	// The Pod.
	"pod: {nodeSelector: {'a b': c}}", "pod: {nodeSelector: {a: 'b c'}}", "pod: {tolerations: [{key: a, operator: exists}]}", "pod: {tolerations: [{operator: Equal, value: x}]}", "pod: {tolerations: [{key: a, operator: Exists, value: x}]}", "pod: {tolerations: [{key: a, effect: Evict}]}", "pod: {tolerations: [{key: a, tolerationSeconds: 5}]}",
	"pod: {tolerations: [{key: a, value: 'b c'}]}", "pod: {tolerations: [{key: a, value: true}]}", "pod: {tolerations: [{}]}", "pod: {tolerations: [{key: a, effects: NoSchedule}]}", "pod: {tolerations: [{key: a, effect: NoExecute, tolerationSeconds: '5'}]}",
	"migrations: {tolerations: [{key: a, operator: exists}]}", "migrations: {nodeSelector: {'a b': c}}", "migrations: {affinity: {nodeAffinity: {required: {}}}}", "pod: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{}]}}}", "pod: {affinity: {podAntiaffinity: {}}}",
	"pod: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {}}}}", "pod: {affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, preference: {}}]}}}", "pod: {affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, podAffinityTerm: {topologyKey: a}}]}}}",
	"pod: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: in, values: [b]}]}]}}}}", "pod: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{labelSelector: {matchExpressions: [{key: a, operator: In}]}, topologyKey: b}]}}}",
	"pod: {topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: Never}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: 'a b', whenUnsatisfiable: DoNotSchedule}]}",
	"pod: {topologySpreadConstraints: [{maxSkew: '1', topologyKey: a, whenUnsatisfiable: DoNotSchedule}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, minDomains: 2}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, minDomains: 0}]}",
	"pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, matchLabelKeys: [pod-template-hash]}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, nodeTaintsPolicy: honor}]}",
	"pod: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: DoNotSchedule, labelSelector: {app: x}}]}", "pod: {topologySpreadConstraints: [{maxSkew: 1.5, topologyKey: a, whenUnsatisfiable: DoNotSchedule}]}",
	"pod: {hostAliases: [{ip: x, hostnames: [a]}]}", "pod: {hostAliases: [{ip: 10.0.0.256, hostnames: [a]}]}", "pod: {hostAliases: [{ip: '010.0.0.1', hostnames: [a]}]}", "pod: {hostAliases: [{ip: '::1', hostnames: ['A_b']}]}", "pod: {hostAliases: [{ip: 'x::1:', hostnames: [a]}]}", "pod: {hostAliases: [{ip: '1:2', hostnames: [a]}]}",
	"pod: {dnsConfig: {nameservers: [x]}}", "pod: {dnsConfig: {nameservers: ['999.1.1.1']}}", "pod: {dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}}", "pod: {dnsConfig: {options: [{value: '2'}]}}", "pod: {dnsConfig: {options: [{name: ndots, value: 2}]}}", "pod: {dnsConfig: {searches: ['a b']}}", "pod: {dnsConfig: {search: [a]}}", "pod: {dnsConfig: {nameservers: 1.1.1.1}}",
	"pod: {terminationGracePeriodSeconds: 99999999999}", "deployment: {progressDeadlineSeconds: 99999999999}", "deployment: {revisionHistoryLimit: 99999999999}", "deployment: {replicas: 99999999999}", "deployment: {progressDeadlineSeconds: 5}", "api: {drainSeconds: 99999999999}\npod: {terminationGracePeriodSeconds: 999999999999}",
	"deployment: {strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: 0%, maxUnavailable: 0}}}", "deployment: {strategy: {rollingUpdate: {maxUnavailable: 101%}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: '1'}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: -1}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: 25.5%}}}",
	"deployment: {strategy: {rollingUpdate: {maxSurge: 0}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: null, maxUnavailable: null}}}", "deployment: {strategy: {type: Rolling}}", "deployment: {strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}}", "deployment: {strategy: {type: recreate}}", "deployment: {strategy: {rollingupdate: {}}}", "deployment: {strategy: {rollingUpdate: {surge: 1}}}", "deployment: {strategy: {rollingUpdate: 5}}",
	"deployment: {strategy: {rollingUpdate: {maxSurge: 1.5}}}", "deployment: {strategy: {rollingUpdate: {maxSurge: 99999999999}}}",
	// The other objects.
	"podDisruptionBudget: {maxUnavailable: -1}", "podDisruptionBudget: {maxUnavailable: 101%}", "podDisruptionBudget: {minAvailable: 1, maxUnavailable: 1}", "podDisruptionBudget: {maxUnavailable: '1'}", "podDisruptionBudget: {minAvailable: 50}", "podDisruptionBudget: {minAvailable: '0.5'}", "podDisruptionBudget: {maxUnavailable: some}", "podDisruptionBudget: {minAvailable: 99999999999}",
	"service: {ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack}", "service: {ipFamilies: [IPv4, IPv6]}", "service: {type: ExternalName}", "service: {port: 0}", "service: {port: 8008}", "service: {port: 9090}", "service: {healthPort: 9091}", "service: {port: 80.5}",
	"networkPolicy: {enabled: true, from: [{}]}", "networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 10.0.0.0/33}}]}", "networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 10.0.0.1}}]}", "networkPolicy: {enabled: true, from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}", "networkPolicy: {enabled: true, from: [{podselector: {}}]}",
	"networkPolicy: {enabled: true, from: [{podSelector: {app: x}}]}", "networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {matchLabels: {a: 'b c'}}}]}", "networkPolicy: {enabled: true, from: [{podSelector: {matchExpressions: [{key: a, operator: in}]}}]}",
	"networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: udp}]}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: UDP}]}, {ports: [{port: 100, endPort: 50}]}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: UDP}]}, {ports: [{endPort: 50}]}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: UDP}]}, {ports: [{port: http, endPort: 50}]}]}",
	"networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: UDP}]}, {port: 5}]}", "networkPolicy: {enabled: true, egress: [{}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: '53', protocol: UDP}]}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: 53, protocol: UDP}], from: [{podSelector: {}}]}]}", "networkPolicy: {enabled: true, egress: [{ports: [{port: 0, protocol: UDP}]}, {ports: [{port: 53, protocol: UDP}]}]}",
	"migrations: {activeDeadlineSeconds: 99999999999}", "migrations: {ttlSecondsAfterFinished: -1}", "migrations: {ttlSecondsAfterFinished: 99999999999}", "migrations: {annotations: {helm.sh/hook: post-install}}", "migrations: {mode: job, annotations: {'a b': c}}", "migrations: {backoffLimit: 11}",
	"breakGlass: {enabled: true, readiness: ready, configMap: A_b}", "breakGlass: {enabled: true, readiness: ready, configMap: kube-root-ca.crt}", "sidecar: {token: {existingSecret: A_b}}", "sidecar: {token: {existingSecret: a, key: a/b}}", "database: {existingSecret: A b}", "database: {passwordKey: a/b}", "database: {passwordKey: ..}",
	"database: {tls: {existingSecret: a, caKey: 'a b'}}", "redis: {host: r, existingSecret: 'R_'}", "minio: {endpoint: 'm:9000', existingSecret: m, accessKeyKey: a b}", "migrations: {database: {existingSecret: 'x/y'}}", "reporting: {enabled: true}\nserviceAccount: {name: A_b}",
	"serviceAccount: {annotations: {'a b': c}}", "sidecar: {ports: {health: 8000}}", "sidecar: {mode: container}\npod: {containers: [{name: reims-health, image: x}]}", "api: {port: 8008}",
	"monitoring: {podMonitor: {enabled: true, additionalLabels: {a: 'b c'}}}", "monitoring: {prometheusRule: {enabled: true, additionalLabels: {'a b': c}}}", "monitoring: {dashboards: {enabled: true, label: 'a b'}}", "monitoring: {dashboards: {enabled: true, labelValue: 'a b'}}", "monitoring: {dashboards: {enabled: true, folderAnnotation: 'a b'}}",
	// Passwords.
	"ollama: {host: 'http://u:secret-word@ollama:11434'}", "ollama: {host: 'u:secret-word@ollama'}", "ollama: {host: 'https://secret-word@ollama'}", "database: {host: 'postgres://u:secret-word@pg/reims'}", "database: {name: 'postgres://u:secret-word@pg/reims'}", "database: {name: 'host=pg password=secret-word'}", "database: {user: 'u:secret-word@pg'}",
	"database: {user: 'postgres://u:secret-word@pg'}", "redis: {host: 'redis://:secret-word@redis:6379'}", "redis: {host: r, username: 'u:secret-word@r'}", "minio: {endpoint: 'http://k:secret-word@minio:9000', existingSecret: m}", "migrations: {database: {host: 'postgres://u:secret-word@pg/reims'}}", "migrations: {database: {user: 'postgres://u:secret-word@pg'}}",
	"sidecar: {allowedOrigins: ['https://u:secret-word@a.example']}", "redis: {host: r, username: 'redis://u:secret-word@r:6379'}",
}

// Whatever somebody writes, it is refused before anything runs, or the API server takes it.
func TestAPIServerTakesWhatHostileValuesRender(t *testing.T) {
	server := newAPIServer(t)
	chart := filepath.Join(charts(t), "reims-health")
	rendered, refused := 0, 0
	for _, text := range hostileValues {
		file := filepath.Join(t.TempDir(), "values.yaml")
		write(t, file, text)
		out, err := tool(t, nil, "helm4", "template", "rel", chart, "--namespace=ns", "--kube-version", kubeVersions[1],
			"--values", filepath.Join(chart, "ci/hook-values.yaml"), "--values", file)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), sentences) && !strings.Contains(err.Error(), "meet the specifications of the schema") {
				t.Errorf("%s: refused without a sentence: %v", text, err)
			}
			out = err.Error()
		} else {
			rendered++
			server.takes(t, text, out)
		}
		if strings.Contains(out, "secret-word") {
			t.Errorf("%s: the password is shown", text)
		}
	}
	t.Logf("%d sets render and %d are refused", rendered, refused)
	if rendered < 20 || refused < 200 {
		t.Errorf("%d sets render and %d are refused: want most refused, and those that are in order not", rendered, refused)
	}
}
