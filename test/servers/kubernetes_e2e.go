//go:build e2e

package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/reims/reims-health/test/servers/install"
)

// Kubernetes is an API server and its etcd, with no node: validation, RBAC and
// Events are the real ones, and no Pod ever runs. Stop, Kill, Freeze and Thaw are
// about the API server; what it keeps stays in etcd, which ends with Close.
type Kubernetes struct {
	*Process
	// Token is the bearer token of a user who may do everything.
	Token string
	etcd  *etcd
	certs certFiles
}

// NewKubernetes prepares an API server. Start builds it first when this user has
// none: that takes minutes.
func NewKubernetes(o Options) (*Kubernetes, error) {
	p, err := newProcess("kube-apiserver", o)
	if err != nil {
		return nil, err
	}
	k := &Kubernetes{Process: p}
	if k.etcd, err = newEtcd(o); err != nil {
		return nil, err
	}
	if k.Token, err = secret(k.dir, "token"); err != nil {
		return nil, fmt.Errorf("set up kubernetes: %w", err)
	}
	if k.certs, err = writeCertificate(filepath.Join(k.dir, "tls"), Validity{}); err != nil {
		return nil, fmt.Errorf("set up kubernetes: %w", err)
	}
	k.prepare, k.ready = k.setUp, k.live
	return k, nil
}

func (k *Kubernetes) setUp(ctx context.Context) error {
	var err error
	if k.path, err = install.Program(ctx, k.progress(), "kube-apiserver"); err != nil {
		return err
	}
	tokens := filepath.Join(k.dir, "tokens.csv")
	if err := k.writeFile(tokens, k.Token+`,admin,admin,"system:masters"`+"\n"); err != nil {
		return err
	}
	policy := filepath.Join(k.dir, "audit.yaml")
	if err := k.writeFile(policy, auditPolicy); err != nil {
		return err
	}
	k.args = []string{
		"--audit-policy-file=" + policy, "--audit-log-path=" + k.AuditLog(),
		"--etcd-servers=" + k.etcd.Endpoint(),
		"--bind-address=" + k.Host(), "--secure-port=" + strconv.Itoa(k.port),
		"--advertise-address=" + k.Host(), "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + k.certs.Cert, "--tls-private-key-file=" + k.certs.Key, "--cert-dir=" + k.dir,
		"--authorization-mode=RBAC", "--token-auth-file=" + tokens,
		"--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=" + k.Endpoint(),
		"--service-account-signing-key-file=" + k.certs.Key, "--service-account-key-file=" + k.certs.Cert,
		"--disable-admission-plugins=ServiceAccount", // no controller makes the accounts it asks for
	}
	if k.etcd.Running() {
		return nil
	}
	return k.etcd.Start(ctx)
}

func (k *Kubernetes) live(ctx context.Context) error {
	config, err := trust(k.certs)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	defer client.CloseIdleConnections()
	return httpOK(ctx, client, k.Endpoint()+"/readyz")
}

// Endpoint returns the API server's URL.
func (k *Kubernetes) Endpoint() string { return "https://" + k.Addr() }

// CAFile returns the path of the certificate authority to trust.
func (k *Kubernetes) CAFile() string { return k.certs.CA }

// auditPolicy has every write noted once, when it has been answered.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
`

// AuditLog returns the path of the file in which the API server notes every write, one JSON object
// (audit.k8s.io/v1, Event) per line.
func (k *Kubernetes) AuditLog() string { return filepath.Join(k.dir, "audit.log") }

// Env returns the variables that Kubernetes puts into every Pod.
func (k *Kubernetes) Env() []Var {
	return []Var{{"KUBERNETES_SERVICE_HOST", k.Host()}, {"KUBERNETES_SERVICE_PORT", strconv.Itoa(k.Port())}}
}

// Close stops both for good.
func (k *Kubernetes) Close() error { return errors.Join(k.Process.Close(), k.etcd.Close()) }

// RunKubernetes starts an API server for the test and removes it at its end.
func RunKubernetes(tb testing.TB) *Kubernetes {
	tb.Helper()
	var o Options
	return run(tb, &o, func() (*Kubernetes, error) { return NewKubernetes(o) })
}

// etcd keeps what the API server knows.
type etcd struct {
	*Process
	peers           int // a port for other members, of which there are none
	peerReservation io.Closer
}

func newEtcd(o Options) (*etcd, error) {
	o.Dir = filepath.Join(o.Dir, "etcd")
	p, err := newProcess("etcd", o)
	if err != nil {
		return nil, err
	}
	e := &etcd{Process: p}
	if e.peers, e.peerReservation, err = reservePort(e.Host()); err != nil {
		return nil, fmt.Errorf("set up etcd: %w", err)
	}
	e.prepare = e.configure
	e.ready = func(ctx context.Context) error { return httpOK(ctx, http.DefaultClient, e.Endpoint()+"/health") }
	return e, nil
}

func (e *etcd) configure(ctx context.Context) (err error) {
	if err := install.Packages(ctx, e.progress(), "etcd-server"); err != nil {
		return err
	}
	if e.path, err = exec.LookPath("etcd"); err != nil {
		return err
	}
	peer := "http://" + address(e.Host(), e.peers)
	e.args = []string{
		"--data-dir=" + filepath.Join(e.dir, "data"), "--name=etcd",
		"--listen-client-urls=" + e.Endpoint(), "--advertise-client-urls=" + e.Endpoint(),
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=etcd=" + peer,
	}
	return nil
}

// Endpoint returns the URL for clients.
func (e *etcd) Endpoint() string { return "http://" + e.Addr() }

// Close stops it for good.
func (e *etcd) Close() error { return errors.Join(e.Process.Close(), e.peerReservation.Close()) }
