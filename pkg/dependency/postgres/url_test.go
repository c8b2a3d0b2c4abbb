package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/dependency"
	"github.com/reims/reims-health/pkg/dependency/postgres"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/checking"
)

// What a URL in a file cannot say beside the variables fails the check, as it stops the
// program where the URL is in the variable: no certificate goes unverified for it.
func TestURLInAFileContradictsTheVariables(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	for _, test := range []struct{ url, variable, words string }{
		{"postgres://a:canary@127.0.0.1:1/db?sslmode=disable", "DATABASE_SSLROOTCERT=/ca", "the file of DATABASE_URL_FILE"},
		{"postgres://a:canary@127.0.0.1:1/db?sslmode=prefer", "DATABASE_SSLROOTCERT=/ca", "verifies no certificate, and DATABASE_SSLROOTCERT asks for that"},
		{"postgres://a:canary@127.0.0.1:1/db?sslmode=disable", "DATABASE_SSLCERT=/c DATABASE_SSLKEY=/k", "DATABASE_SSLCERT asks for TLS"},
		{"postgres://a:canary@127.0.0.1:1/db?sslcert=/c", "", "DATABASE_SSLCERT and DATABASE_SSLKEY need each other"},
		{"postgres://a:canary@127.0.0.1:1/db?sslkey=/k&sslmode=require", "", "DATABASE_SSLCERT and DATABASE_SSLKEY need each other"},
	} {
		c := openFile(t, file, test.variable)
		if err := os.WriteFile(file, []byte(test.url), 0o600); err != nil {
			t.Fatal(err)
		}
		checking.Says(t, checking.Fault(t, c, health.ReasonTLS), test.words)
	}
	c := openFile(t, file, "DATABASE_SSLCERT=/c DATABASE_SSLKEY=/k DATABASE_SSLMODE=require")
	checking.Says(t, checking.Fault(t, c, health.ReasonTLS), "DATABASE_SSLCERT: the file is missing") // the variable wins over the URL
}

// openFile returns the checker of the service whose URL is in the file.
func openFile(t *testing.T, file, variables string) dependency.Checker {
	t.Helper()
	service := dependency.Kinds{postgres.Kind(postgres.Schema{})}.Services()[0]
	return checking.Open(t, service, append([]string{"DATABASE_URL_FILE=" + file}, strings.Fields(variables)...)...)
}
