package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/reims/reims-health/test/page"
	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/program"
	"github.com/reims/reims-health/test/servers"
)

// stage is the servers and the sidecars that the pictures are of.
type stage struct {
	dir      string
	program  string
	all      []servers.Server
	redis    *servers.Redis    // fails in the scene "degraded"
	postgres *servers.Postgres // fails in the scenes "unhealthy" and "held"
	sidecars map[string]*page.Sidecar
	api      []*pgx.Conn // stands in for the API's connections
}

// freezer is what every server of this set is.
type freezer interface {
	Running() bool
	Freeze() error
	Thaw() error
}

// set starts everything, lets it run, and breaks what is to be broken shortly before
// the end, so that there is a past to show.
func (s *stage) set(ctx context.Context, past time.Duration) error {
	if err := s.startServers(ctx); err != nil {
		return err
	}
	path, err := program.Build(ctx, s.dir)
	if err != nil {
		return err
	}
	s.program, s.sidecars = path, map[string]*page.Sidecar{}
	for scene, own := range map[string][]servers.Var{
		"healthy":   nil,
		"degraded":  append(s.redis.Env(), servers.Var{Name: "OLLAMA_REQUIRED_MODELS", Value: "llama3.2"}),
		"unhealthy": s.postgres.Env(),
		"many":      s.many(),
	} {
		if err := s.start(scene, own...); err != nil {
			return err
		}
	}
	if err := s.startHeld(); err != nil {
		return err
	}
	fmt.Println("running for", past)
	if err := poll.Pause(ctx, past*3/4); err != nil {
		return err
	}
	if err := errors.Join(s.redis.Stop(), s.postgres.Kill()); err != nil {
		return err
	}
	return poll.Pause(ctx, past/4)
}

func (s *stage) startServers(ctx context.Context) error {
	set, err := servers.NewSet(servers.Options{Dir: s.dir})
	if err != nil {
		return err
	}
	if s.redis, err = servers.NewRedis(servers.RedisOptions{Options: servers.Options{Dir: filepath.Join(s.dir, "redis-2")}}); err != nil {
		return err
	}
	s.postgres, err = servers.NewPostgres(servers.PostgresOptions{Options: servers.Options{Dir: filepath.Join(s.dir, "postgres-2")}})
	if err != nil {
		return err
	}
	s.all = append(slices.Clip(set), s.redis, s.postgres)
	group, starting := errgroup.WithContext(ctx)
	for _, server := range s.all {
		group.Go(func() error { return server.Start(starting) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return s.connectAPI(ctx, set)
}

// connectAPI holds some connections, as the API would.
func (s *stage) connectAPI(ctx context.Context, set []servers.Server) error {
	for _, server := range []servers.Server{set[0], s.postgres} {
		pg, ok := server.(*servers.Postgres)
		if !ok {
			return fmt.Errorf("%s is no PostgreSQL", server.Name())
		}
		for i := range 9 {
			conn, err := pgx.Connect(ctx, pg.URL())
			if err != nil {
				return err
			}
			s.api = append(s.api, conn)
			if i == 0 {
				if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// start starts the sidecar of a scene. Later variables win.
func (s *stage) start(scene string, own ...servers.Var) error {
	vars := []servers.Var{{Name: "POD_NAME", Value: "api-7c9f4d-x2lqz"}} // not the name of whoever takes the pictures
	for _, server := range s.all[:4] {
		vars = append(vars, server.Env()...)
	}
	for _, name := range []string{"DATABASE", "REDIS", "MINIO", "OLLAMA"} {
		vars = append(vars, servers.Var{Name: name + "_PROBE_INTERVAL", Value: "1s"})
	}
	sidecar, err := page.StartSidecar(s.program, slices.Concat(vars, own)...)
	if err != nil {
		return err
	}
	s.sidecars[scene] = sidecar
	return s.await(scene, func(code int) bool { return code == http.StatusOK || scene == "starting" })
}

// many are the variables of twelve services, of which one is the PostgreSQL that fails.
func (s *stage) many() []servers.Var {
	env := make(map[string]string)
	for _, server := range s.all[:4] {
		for _, v := range server.Env() {
			env[v.Name] = v.Value
		}
	}
	vars := []servers.Var{
		{Name: "HEALTH_SERVICES", Value: "database,redis,minio,ollama,orders,archive,invoices-db,reporting-db,media,search-models,backups,crm-db"},
		{Name: "SEARCH_MODELS_CHECK", Value: "ollama://" + net.JoinHostPort(env["OLLAMA_HOST"], env["OLLAMA_PORT"])},
	}
	for _, name := range []string{"ARCHIVE", "MEDIA", "BACKUPS"} {
		vars = append(vars, servers.Var{Name: name + "_CHECK", Value: "s3://" + env["MINIO_ENDPOINT"]},
			servers.Var{Name: name + "_ACCESS_KEY", Value: env["MINIO_ACCESS_KEY"]}, servers.Var{Name: name + "_SECRET_KEY", Value: env["MINIO_SECRET_KEY"]})
	}
	for _, name := range []string{"ORDERS", "INVOICES_DB", "REPORTING_DB", "CRM_DB"} {
		host, port, password := env["DATABASE_HOST"], env["DATABASE_PORT"], env["DATABASE_PASSWORD"]
		if name == "ORDERS" {
			host, port, password = s.postgres.Host(), strconv.Itoa(s.postgres.Port()), s.postgres.Password
		}
		vars = append(vars, servers.Var{Name: name + "_CHECK", Value: "postgres://" + env["DATABASE_USER"] + "@" + net.JoinHostPort(host, port) + "/" + env["DATABASE_NAME"]},
			servers.Var{Name: name + "_PASSWORD", Value: password})
	}
	return vars
}

// startHeld starts the sidecar that asks two others, of which one is of another scene.
func (s *stage) startHeld() error {
	if err := s.start("peer", s.postgres.Env()...); err != nil {
		return err
	}
	var peers []string
	for _, scene := range []string{"unhealthy", "peer"} {
		peers = append(peers, strings.TrimPrefix(s.sidecars[scene].URL, "http://"))
	}
	return s.start("held", append(s.postgres.Env(), servers.Var{Name: "HEALTH_PEERS", Value: strings.Join(peers, ",")})...)
}

// play brings a scene about and returns the address of its page.
func (s *stage) play(scene string) (string, error) {
	if scene == "starting" {
		if err := s.playStarting(); err != nil {
			return "", err
		}
	}
	err := s.await(scene, func(code int) bool {
		return code == http.StatusOK == (scene == "healthy" || scene == "degraded" || scene == "many")
	})
	return s.sidecars[scene].URL + "/", err
}

// playStarting freezes the servers, so that the first checks take their time.
func (s *stage) playStarting() error {
	for _, server := range s.all[:4] {
		running, ok := server.(freezer)
		if !ok {
			return fmt.Errorf("%s cannot be frozen", server.Name())
		}
		if err := running.Freeze(); err != nil {
			return err
		}
	}
	var patient []servers.Var
	for _, name := range []string{"DATABASE", "REDIS", "MINIO", "OLLAMA"} {
		patient = append(patient, servers.Var{Name: name + "_PROBE_TIMEOUT", Value: "1m"})
	}
	return s.start("starting", patient...)
}

func (s *stage) await(scene string, wanted func(code int) bool) error {
	var failed error
	last := 0
	poll.Poll(context.Background(), 5*time.Minute, func() bool {
		response, err := http.Get(s.sidecars[scene].URL + "/health")
		if err != nil {
			failed = err
			return true
		}
		_ = response.Body.Close()
		last = response.StatusCode
		return wanted(last)
	})
	if failed == nil && !wanted(last) {
		failed = fmt.Errorf("the sidecar of %s answers %d", scene, last)
	}
	return failed
}

func (s *stage) close() error {
	var errs []error
	for _, conn := range s.api {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = conn.Close(ctx) // its server may be gone
		cancel()
	}
	for _, sidecar := range s.sidecars {
		errs = append(errs, sidecar.Stop())
	}
	for _, server := range s.all {
		if frozen, ok := server.(freezer); ok && frozen.Running() {
			errs = append(errs, frozen.Thaw())
		}
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}
