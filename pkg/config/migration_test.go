package config_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/config"
	"github.com/reims/reims-health/pkg/dependency/registry"
)

func TestForMigration(t *testing.T) {
	t.Parallel()
	base := []string{"DATABASE_HOST=pooler", "DATABASE_PORT=6432", "DATABASE_USER=app", "DATABASE_PASSWORD=app-password", "DATABASE_SSLMODE=require"}
	for url, want := range map[string]string{
		"": "pooler 6432 reims app app-password require",
		"postgres://migrator:m%40ster@pg.internal:5433/estate?sslmode=verify-full&sslrootcert=/ca": "pg.internal 5433 estate migrator m@ster verify-full",
		"postgresql://migrator@pg":         "pg 5432 reims migrator  require",
		"postgres://app@[::1]/":            "::1 5432 reims app app-password require",
		"postgres://pg:5433":               "pg 5433 reims app app-password require",
		"postgres:///other?sslmode=PREFER": "pooler 6432 other app app-password prefer",
		"postgres://:only-password@pg":     "pg 5432 reims app only-password require",
	} {
		for _, given := range []string{"DATABASE_MIGRATION_URL=" + url, "DATABASE_MIGRATION_URL_FILE=" + writeFile(t, url+"\n")} {
			if url == "" {
				given = ""
			}
			c, _ := load(t, append([]string{given}, base...)...)
			d, err := database(c).ForMigration("DATABASE_")
			if err != nil {
				t.Errorf("%s: %v", given, err)
				continue
			}
			got := strings.Join([]string{d.Host, strconv.Itoa(d.Port), d.Name, d.User, read(t, d.Password), d.EffectiveSSLMode(c.Health.Environment)}, " ")
			if got != want {
				t.Errorf("%s: got %s, want %s", given, got, want)
			}
			if database(c).Host != "pooler" {
				t.Error("the configuration itself was changed")
			}
			if scrubbed := c.Redactor().Scrub(read(t, d.Password)); scrubbed != "" && scrubbed != "[redacted]" {
				t.Errorf("%s: the password is shown as %s", given, scrubbed)
			}
		}
	}
}

func TestMigrationURLRefused(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"pg.internal:5432":                    "does not begin with postgres://",
		"mysql://u:hidden-pw@pg/x":            "does not begin with postgres://",
		"postgres://u:hidden-pw@a,b/x":        "has not one host",
		"postgres://u:hidden-pw@pg:99999/x":   "a port from 1 to 65535",
		"postgres://u:hidden-pw%zz@pg/x":      "%40 for @",
		"postgres://u:hidden-pw@pg/x/y":       "more than the name",
		"postgres://u:hidden-pw@pg/x?user=y":  "no other key",
		"postgres://u:hidden-pw@pg?sslmode=y": `"y" is none of disable`,
	} {
		_, _, err := config.Load(config.Options{Services: registry.Services(), Environ: []string{"DATABASE_MIGRATION_URL=" + url}})
		wantProblem(t, err, "DATABASE_MIGRATION_URL: ", want)
		c, _ := load(t, "DATABASE_MIGRATION_URL_FILE="+writeFile(t, url))
		_, err = database(c).ForMigration("DATABASE_")
		wantProblem(t, err, "DATABASE_MIGRATION_URL_FILE: ", want)
	}
	c, _ := load(t, "DATABASE_MIGRATION_URL_FILE=/absent/url")
	var wrong *config.Error
	if _, err := database(c).ForMigration("DATABASE_"); err == nil || errors.As(err, &wrong) || !strings.Contains(err.Error(), "/absent/url") {
		t.Errorf("a file that is missing: %v", err)
	}
}

func wantProblem(t *testing.T, err error, variable, text string) {
	t.Helper()
	var wrong *config.Error
	if !errors.As(err, &wrong) || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want %s%s", err, variable, text)
	}
	if err != nil && strings.Contains(err.Error(), "hidden") {
		t.Errorf("a password is shown: %v", err)
	}
}
