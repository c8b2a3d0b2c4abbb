//go:build e2e

package cluster_test

import (
	"cmp"
	"os"
	"strconv"
)

// environment is what the tests are told from outside; CONTRIBUTING.md describes it.
type environment struct {
	kubeconfig string
	host       string // this machine, as Pods reach it; the servers listen there
	image      string // repository; the tags are e2e, e2e-next and e2e-failing; -fleet is appended for the fleet program, with the tag e2e
	apiImage   string
	helm       string // programs
	helm4      string // the same, of version 4
	kubectl    string
	out        string // folder for the table of steps and what failures leave
	// auditLog is what Pods wrote to the API server, where the node is ours.
	auditLog string
	// apiServer is the PID of the API server, where the node is ours.
	apiServer int
	// own tells that the node is ours: this machine sees its processes.
	own bool
}

var env = readEnvironment()

func readEnvironment() environment {
	theirs := os.Getenv("E2E_KUBECONFIG")
	apiServer, _ := strconv.Atoi(os.Getenv("E2E_API_SERVER")) // 0: not ours
	or := func(name, byDefault string) string { return cmp.Or(os.Getenv(name), byDefault) }
	return environment{
		kubeconfig: cmp.Or(theirs, os.Getenv("KUBECONFIG")),
		host:       os.Getenv("E2E_HOST"),
		image:      or("E2E_IMAGE", "docker.io/library/reims-health"),
		apiImage:   or("E2E_API_IMAGE", "docker.io/library/reims-api:e2e"),
		helm:       or("E2E_HELM", "helm"),
		helm4:      or("E2E_HELM4", "helm4"),
		kubectl:    or("E2E_KUBECTL", "kubectl"),
		out:        or("E2E_OUT", "../../dist/e2e"),
		auditLog:   os.Getenv("E2E_AUDIT_LOG"),
		apiServer:  apiServer,
		own:        theirs == "",
	}
}
