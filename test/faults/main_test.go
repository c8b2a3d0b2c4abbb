package faults_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/reims/reims-health/test/program"
)

var (
	built string // the program under test, built once

	whole     = flag.Bool("whole", false, "break everything at the default pace, and show each cell")
	serve     = flag.String("serve", "", "be a server and run no test: http or grpc")
	addr      = flag.String("addr", "", "where that server listens")
	tokenFile = flag.String("token-file", "", "the file with the token that the http server wants")
)

func TestMain(m *testing.M) {
	// The tests here wait far more than they compute. The command line wins.
	_ = flag.Set("test.parallel", "12")
	flag.Parse()
	var (
		code int
		err  error
	)
	if *serve != "" {
		err = beServer()
	} else {
		code, err = prepare(m.Run)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func prepare(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "reims-health-faults-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if built, err = program.Build(context.Background(), dir); err != nil {
		return 0, err
	}
	return run(), nil
}

// beServer is what this program does when a test starts it as a server of HTTP or gRPC, which
// can then be frozen and killed as any other.
func beServer() error {
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	if *serve == "grpc" {
		server := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(server, health.NewServer())
		return server.Serve(listener)
	}
	server := &http.Server{Handler: http.HandlerFunc(page), ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// page answers requests that have the token.
func page(w http.ResponseWriter, r *http.Request) {
	if *tokenFile != "" {
		token, err := os.ReadFile(*tokenFile)
		if err != nil || r.Header.Get("Authorization") != "Bearer "+strings.TrimSpace(string(token)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	}
	_, _ = io.WriteString(w, "I am well\n")
}
