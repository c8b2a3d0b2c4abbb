// Package chart tests the Helm charts as they are rendered: by Helm 3 and 4, for the
// oldest and the newest Kubernetes, with every values file in a chart's ci folder. What a
// single template does is tested beside it, by helm-unittest, which this package runs.
package chart
