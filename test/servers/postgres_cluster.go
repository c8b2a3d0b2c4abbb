package servers

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/reims/reims-health/test/servers/install"
)

// initCluster installs PostgreSQL, makes the cluster unless it is there, and
// writes its configuration.
func (pg *Postgres) initCluster(ctx context.Context) error {
	var err error
	if pg.binDir, err = pg.programs(ctx); err != nil {
		return err
	}
	pg.path = filepath.Join(pg.binDir, "postgres")
	if pg.account, err = unprivileged(); err != nil {
		return err
	}
	if err := pg.give(pg.dir, pg.passwordFile()); err != nil {
		return err
	}
	if !pg.hasCluster() {
		if err := pg.newCluster(ctx); err != nil {
			return err
		}
	}
	return pg.configure()
}

// programs returns the folder of the version's programs, which it installs.
func (pg *Postgres) programs(ctx context.Context) (string, error) {
	switch pg.options.Version {
	case 0:
		if err := install.Packages(ctx, pg.progress(), "postgresql"); err != nil {
			return "", err
		}
		return install.PostgresPrograms()
	case 18:
		return install.Postgres18(ctx, pg.progress())
	default:
		return "", fmt.Errorf("no PostgreSQL %d: there are 0 for Debian's and 18", pg.options.Version)
	}
}

func (pg *Postgres) hasCluster() bool {
	_, err := os.Stat(filepath.Join(pg.data(), "PG_VERSION"))
	return err == nil
}

func (pg *Postgres) passwordFile() string { return filepath.Join(pg.dir, "password") }

func (pg *Postgres) newCluster(ctx context.Context) error {
	if pg.primary != nil {
		return pg.copyPrimary(ctx)
	}
	return pg.run(ctx, "initdb", "-D", pg.data(), "-U", pg.User, "--pwfile="+pg.passwordFile(),
		"-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--wal-segsize=1", "--no-sync")
}

// run executes one of PostgreSQL's programs as the server's user.
func (pg *Postgres) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(pg.binDir, program), args...)
	cmd.Dir = pg.dir
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "PGPASSWORD=" + pg.Password}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: pg.account}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// configure writes what differs from initdb's postgresql.conf, and pg_hba.conf.
func (pg *Postgres) configure() error {
	settings := map[string]string{
		"unix_socket_directories": "",
		"fsync":                   "off",
		"synchronous_commit":      "off",
		"full_page_writes":        "off",
		"shared_buffers":          "16MB",
		"log_timezone":            "UTC",
		"timezone":                "UTC",
	}
	if pg.CAFile() != "" {
		if err := pg.give(pg.certs.Key); err != nil { // PostgreSQL insists on owning it
			return err
		}
		settings["ssl"], settings["ssl_cert_file"], settings["ssl_key_file"] = "on", pg.certs.Cert, pg.certs.Key
	}
	maps.Copy(settings, pg.options.Settings)
	var conf strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	if err := pg.writeFile(filepath.Join(pg.data(), "postgresql.conf"), conf.String()); err != nil {
		return err
	}
	hba := pg.options.HBA
	if hba == nil {
		clients := "127.0.0.1/32"
		if pg.Host() != loopback {
			clients = "all"
		}
		hba = []string{"host all,replication all " + clients + " scram-sha-256"}
	}
	return pg.writeFile(filepath.Join(pg.data(), "pg_hba.conf"), strings.Join(hba, "\n")+"\n")
}
