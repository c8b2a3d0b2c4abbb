package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"time"
)

// shutdownTimeout bounds the requests that are under way at the end.
const shutdownTimeout = 5 * time.Second

// serve answers until ctx is done, and ends every request that it has begun. That no
// new ones come by then is up to the Pod's preStop pause, as with most programs.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	addr := flags.String("addr", ":8000", "`address` to listen on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/properties", properties)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: shutdownTimeout}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }() // ends with Shutdown
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}

func properties(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintln(w, `{"properties":[]}`)
}
