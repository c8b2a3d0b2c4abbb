package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
