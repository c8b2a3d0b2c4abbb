package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
)

// maxReply bounds what is read of a reply.
const maxReply = 1 << 20

// httpOK sends a GET and wants a 200.
func httpOK(ctx context.Context, client *http.Client, url string) error {
	_, err := send(ctx, client, http.MethodGet, url, nil)
	return err
}

// sendJSON sends a request with a JSON body and decodes the reply, if to is set.
func sendJSON(ctx context.Context, client *http.Client, method, url string, body, to any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	reply, err := send(ctx, client, method, url, raw)
	if err != nil || to == nil {
		return err
	}
	return json.Unmarshal(reply, to)
}

func send(ctx context.Context, client *http.Client, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return do(client, request)
}

func do(client *http.Client, request *http.Request) ([]byte, error) {
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxReply))
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, response.Status, reply)
	}
	return reply, nil
}

// loopback is where servers listen unless [Options].Host says otherwise.
const loopback = "127.0.0.1"

// The ports lie below the range from which Linux takes the local ports of
// outgoing connections (from 32768): else such a connection could take the port
// of a server while that is down.
const firstPort, ports = 12000, 18000

// reservePort returns a free port that no other user of this package, in any
// process, gets until reservation is closed: not even while its server is down.
func reservePort(host string) (port int, reservation io.Closer, err error) {
	for range 100 {
		port = firstPort + rand.IntN(ports)
		if reservation, err = reserve(host, port); err == nil {
			return port, reservation, nil
		}
	}
	return 0, nil, fmt.Errorf("find a free port on %s from %d to %d: none in 100 tries", host, firstPort, firstPort+ports)
}

// reserve returns an error when the port is reserved or in use.
func reserve(host string, port int) (io.Closer, error) {
	// An abstract socket is an exclusive lock that ends with its process.
	lock, err := net.Listen("unix", "@reims-health-test-port-"+strconv.Itoa(port))
	if err != nil {
		return nil, err
	}
	probe, err := net.Listen("tcp", address(host, port))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, probe.Close()
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// dial tells whether something accepts connections there.
func dial(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}
