package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
)

const (
	bootTimeout = 3 * time.Minute // generous: a loaded machine is no failure
	bootPeriod  = 100 * time.Millisecond
	booted      = "default service account there: Pods can be made" // the last line of progress
)

var errNotFound = errors.New("not found")

// boot starts what needs the API server, and closes progress when Pods can be made.
func (c *components) boot(progress io.WriteCloser) error {
	api, err := newAPI()
	if err != nil {
		return err
	}
	steps := []struct {
		name  string
		done  func() error
		after func() error
	}{
		{"API server ready", api.ready, func() error { return c.start(late()...) }},
		{"node ready", api.nodeReady, nil},
		{"DNS server answers", dnsAnswers, nil},
		{booted, api.defaultServiceAccount, nil},
	}
	for _, s := range steps {
		if err := await(s.done); err != nil {
			return fmt.Errorf("wait for %q: %w", s.name, err)
		}
		if s.after != nil {
			if err := s.after(); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(progress, s.name); err != nil {
			return fmt.Errorf("up has ended before the node was ready: %w", err)
		}
	}
	return progress.Close()
}

func await(done func() error) error {
	timeout := time.NewTimer(bootTimeout)
	defer timeout.Stop()
	tick := time.NewTicker(bootPeriod)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			return fmt.Errorf("after %s: %w", bootTimeout, err)
		}
	}
}

// api asks the API server, as its administrator.
type api struct{ client *http.Client }

func newAPI() (api, error) {
	certificate, err := tls.LoadX509KeyPair(inRunDir("pki", "admin.crt"), inRunDir("pki", "admin.key"))
	if err != nil {
		return api{}, err
	}
	ca, err := os.ReadFile(inRunDir("pki", "ca.crt"))
	if err != nil {
		return api{}, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}
	return api{&http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}}, nil
}

func (a api) ready() error { return a.get("/readyz", nil) }

func (a api) nodeReady() error {
	type condition struct{ Type, Status, Message string }
	var node struct {
		Status struct{ Conditions []condition }
	}
	if err := a.get("/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	i := slices.IndexFunc(node.Status.Conditions, func(c condition) bool { return c.Type == "Ready" })
	if i < 0 {
		return errors.New("the node has no condition Ready")
	}
	if c := node.Status.Conditions[i]; c.Status != "True" {
		return fmt.Errorf("the node is not ready: %s", c.Message)
	}
	return nil
}

func (a api) defaultServiceAccount() error {
	return a.get("/api/v1/namespaces/default/serviceaccounts/default", nil)
}

// get wants a 200, and decodes it if to is set. For a 404 the error is errNotFound.
func (a api) get(path string, to any) error {
	response, err := a.client.Get(apiServer + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusNotFound {
		return fmt.Errorf("GET %s: %w", path, errNotFound)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	if to == nil {
		return nil
	}
	return json.Unmarshal(body, to)
}
