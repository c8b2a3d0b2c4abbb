package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Package is a Debian package that provides what the glob patterns in any match.
type Package struct {
	name string
	any  []string
	// units are the system services that the package enables and starts.
	units []string
}

var (
	postgresPackage  = Package{"postgresql", []string{"/usr/lib/postgresql/*/bin/postgres"}, []string{"postgresql.service"}}
	redisPackage     = Package{"redis-server", []string{"/usr/bin/redis-server", "/usr/local/bin/redis-server"}, []string{"redis-server.service"}}
	etcdPackage      = Package{"etcd-server", []string{"/usr/bin/etcd"}, []string{"etcd.service"}}
	pgbouncerPackage = Package{"pgbouncer", []string{"/usr/sbin/pgbouncer"}, []string{"pgbouncer.service"}}
	nginxPackage     = Package{"nginx-light", []string{"/usr/sbin/nginx"}, []string{"nginx.service"}}
	haproxyPackage   = Package{"haproxy", []string{"/usr/sbin/haproxy"}, []string{"haproxy.service"}}
	twemproxyPackage = Package{"nutcracker", []string{"/usr/sbin/nutcracker"}, []string{"nutcracker.service"}}
	compilerPackage  = Package{"g++", []string{"/usr/bin/g++"}, nil}
	jsonPackage      = Package{"nlohmann-json3-dev", []string{"/usr/include/nlohmann/json.hpp"}, nil}
	stbPackage       = Package{"libstb-dev", []string{"/usr/include/stb/stb_image.h"}, nil}
)

func (p Package) installed() bool {
	return slices.ContainsFunc(p.any, func(pattern string) bool {
		found, err := filepath.Glob(pattern)
		return err == nil && len(found) > 0
	})
}

// Install installs those of the packages that are missing, by apt-get, and makes
// sure that their system services do not run. It needs root or sudo without a
// password; else its error holds the command to run.
func Install(ctx context.Context, o Options, packages ...Package) error {
	if len(missing(packages)) == 0 {
		return nil
	}
	unlock, err := lock(ctx, o, "packages")
	if err != nil {
		return err
	}
	defer unlock()
	lack := missing(packages) // another process may have installed them meanwhile
	if len(lack) == 0 {
		return nil
	}
	names := make([]string, len(lack))
	for i, p := range lack {
		names[i] = p.name
	}
	list := strings.Join(names, " ")
	command, err := superuser(ctx)
	if err != nil {
		return fmt.Errorf("install %s: %w; run this and try again: sudo apt-get install -y --no-install-recommends %s", list, err, list)
	}
	stop := o.tick("installing " + list)
	defer stop()
	return errors.Join(aptInstall(ctx, command, names), disable(ctx, command, lack))
}

func missing(packages []Package) []Package {
	return slices.DeleteFunc(slices.Clone(packages), Package.installed)
}

// superuser returns the words to put before a command that needs root.
func superuser(ctx context.Context) ([]string, error) {
	if os.Geteuid() == 0 {
		return nil, nil
	}
	if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
		return nil, errors.New("it needs root, and sudo asks for a password or is not there")
	}
	return []string{"sudo", "-n"}, nil
}

func aptInstall(ctx context.Context, superuser, names []string) error {
	// Run level 1 is the one in which Debian starts no service on installation.
	apt := []string{"env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"}
	update := slices.Concat(superuser, apt, []string{"update"})
	install := slices.Concat(superuser, apt, []string{"install", "-y", "--no-install-recommends"}, names)
	// An old list may still do, so only the installation has to succeed.
	updateErr := execute(ctx, update)
	if err := execute(ctx, install); err != nil {
		return errors.Join(updateErr, err)
	}
	return nil
}

// disable undoes what systemd, which knows no run levels, made of the packages.
func disable(ctx context.Context, superuser []string, packages []Package) error {
	if !exists("/run/systemd/system") {
		return nil
	}
	var units []string
	for _, p := range packages {
		units = append(units, p.units...)
	}
	if len(units) == 0 {
		return nil
	}
	return execute(ctx, slices.Concat(superuser, []string{"systemctl", "disable", "--now"}, units))
}

func execute(ctx context.Context, command []string) error {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w:\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}

// postgresBinDir returns the folder of the newest PostgreSQL's programs.
func postgresBinDir() (string, error) {
	found, err := filepath.Glob(postgresPackage.any[0])
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("find PostgreSQL: nothing at %s", postgresPackage.any[0])
	}
	return filepath.Dir(found[len(found)-1]), nil
}
