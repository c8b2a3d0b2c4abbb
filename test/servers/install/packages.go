package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// debian is a Debian package that provides what the glob patterns in any match.
type debian struct {
	any []string
	// units are the system services that the package enables and starts.
	units []string
}

// packages are those that may be needed, by their names.
var packages = map[string]debian{
	"chromium":                     {any: []string{"/usr/bin/chromium"}},
	"containerd":                   {[]string{"/usr/bin/containerd"}, []string{"containerd.service"}},
	"containernetworking-plugins":  {any: []string{"/usr/lib/cni/ptp"}},
	"curl":                         {any: []string{"/usr/bin/curl"}},
	"etcd-server":                  {[]string{"/usr/bin/etcd"}, []string{"etcd.service"}},
	"fonts-inter":                  {any: []string{"/usr/share/fonts/opentype/inter/Inter-Regular.otf"}},
	"g++":                          {any: []string{"/usr/bin/g++"}},
	"haproxy":                      {[]string{"/usr/sbin/haproxy"}, []string{"haproxy.service"}},
	"iproute2":                     {any: []string{"/usr/sbin/ip", "/sbin/ip", "/bin/ip"}},
	"iptables":                     {any: []string{"/usr/sbin/iptables"}},
	"jq":                           {any: []string{"/usr/bin/jq"}},
	"libstb-dev":                   {any: []string{"/usr/include/stb/stb_image.h"}},
	"nginx-light":                  {[]string{"/usr/sbin/nginx"}, []string{"nginx.service"}},
	"nlohmann-json3-dev":           {any: []string{"/usr/include/nlohmann/json.hpp"}},
	"nutcracker":                   {[]string{"/usr/sbin/nutcracker"}, []string{"nutcracker.service"}},
	"pgbouncer":                    {[]string{"/usr/sbin/pgbouncer"}, []string{"pgbouncer.service"}},
	"postgresql":                   {[]string{"/usr/lib/postgresql/*/bin/postgres"}, []string{"postgresql.service"}},
	"prometheus":                   {[]string{"/usr/bin/prometheus"}, []string{"prometheus.service"}},
	"prometheus-alertmanager":      {[]string{"/usr/bin/prometheus-alertmanager"}, []string{"prometheus-alertmanager.service"}},
	"prometheus-postgres-exporter": {[]string{"/usr/bin/prometheus-postgres-exporter"}, []string{"prometheus-postgres-exporter.service"}},
	"prometheus-redis-exporter":    {[]string{"/usr/bin/prometheus-redis-exporter"}, []string{"prometheus-redis-exporter.service"}},
	"redis-server":                 {[]string{"/usr/bin/redis-server", "/usr/local/bin/redis-server"}, []string{"redis-server.service"}},
	"runc":                         {any: []string{"/usr/sbin/runc", "/usr/bin/runc"}},
	"skopeo":                       {any: []string{"/usr/bin/skopeo"}},
}

func (d debian) installed() bool {
	return slices.ContainsFunc(d.any, func(pattern string) bool {
		found, err := filepath.Glob(pattern)
		return err == nil && len(found) > 0
	})
}

// Packages installs those of the Debian packages that are missing, by apt-get, and
// makes sure that their system services do not run. It needs root or sudo without a
// password; else its error holds the command to run.
func Packages(ctx context.Context, p *Progress, names ...string) error {
	lack, err := missing(names)
	if err != nil || len(lack) == 0 {
		return err
	}
	unlock, err := Lock(ctx, p, "packages")
	if err != nil {
		return err
	}
	defer unlock()
	lack, err = missing(names) // another process may have installed them meanwhile
	if err != nil || len(lack) == 0 {
		return err
	}
	list := strings.Join(lack, " ")
	command, err := superuser(ctx)
	if err != nil {
		return fmt.Errorf("install %s: %w; run this and try again: sudo apt-get install -y --no-install-recommends %s", list, err, list)
	}
	done := p.start(task{what: "installing " + list, usual: 30 * time.Second})
	defer done()
	return errors.Join(aptInstall(ctx, command, lack), disable(ctx, command, lack))
}

func missing(names []string) (lack []string, err error) {
	for _, name := range names {
		d, ok := packages[name]
		if !ok {
			return nil, fmt.Errorf("install %s: how to tell that this package is there is not known", name)
		}
		if !d.installed() {
			lack = append(lack, name)
		}
	}
	return lack, nil
}

// Chromium installs Debian's Chromium, and the letters that it draws with, and returns
// its path.
func Chromium(ctx context.Context, p *Progress) (string, error) {
	return packages["chromium"].any[0], Packages(ctx, p, chromium...)
}

var (
	chromium = []string{"chromium", "fonts-inter"}
	// node is what a Kubernetes node needs beside Kubernetes itself.
	node = []string{"etcd-server", "containerd", "runc", "containernetworking-plugins", "iptables", "iproute2"}
)

// Node installs what a Kubernetes node needs beside Kubernetes itself.
func Node(ctx context.Context, p *Progress) error { return Packages(ctx, p, node...) }

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
func disable(ctx context.Context, superuser, names []string) error {
	if !exists("/run/systemd/system") {
		return nil
	}
	var units []string
	for _, name := range names {
		units = append(units, packages[name].units...)
	}
	if len(units) == 0 {
		return nil
	}
	return execute(ctx, slices.Concat(superuser, []string{"systemctl", "disable", "--now"}, units))
}

// PostgresPrograms returns the folder of the programs of Debian's newest PostgreSQL.
func PostgresPrograms() (string, error) {
	pattern := packages["postgresql"].any[0]
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("find PostgreSQL: nothing at %s", pattern)
	}
	return filepath.Dir(found[len(found)-1]), nil
}
