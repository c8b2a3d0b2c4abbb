// Package schemas holds the schemas of Kubernetes' objects that the charts are held against,
// made by hack/chart/kubernetes.
package schemas

import "embed"

// Newest are those that parts of a values.schema.json are taken from.
//
//go:embed v1.36.3/deployment-apps-v1.json v1.36.3/ingress-networking-v1.json v1.36.3/networkpolicy-networking-v1.json
var Newest embed.FS
