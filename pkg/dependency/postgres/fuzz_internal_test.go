package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/reims/reims-health/pkg/config"
)

const canary = "c4n4ry-of-the-server"

// Whatever error a server, a pooler or a proxy sends, it has a reason, and the message has no
// word of it. Every Z becomes a canary.
func FuzzServerError(f *testing.F) {
	f.Add("FATAL", "28P01", `password authentication failed for user "Z"`, "Z")
	f.Add("FATAL", "3D000", `database "Z" does not exist`, "")
	f.Add("ERROR", "08P01", "unsupported startup parameter: Z", "Z")
	f.Add("FATAL", "", "Z", "")
	f.Add("Z", "ZZZZZ", "RDS Proxy doesn't support the option Z", "Z")
	f.Add("FATAL", "53300", "sorry, too many clients already", "\xff\x00")
	f.Fuzz(func(t *testing.T, severity, code, message, detail string) {
		z := func(s string) string { return strings.ReplaceAll(s, "Z", canary) }
		err := &pgconn.PgError{Severity: z(severity), Code: z(code), Message: z(message), Detail: z(detail), Hint: z(detail)}
		checker := new(Checker)
		for name, text := range map[string]string{
			"statement": statementFault(err).Message,
			"login":     loginFault(err, err).Message,
			"dial":      checker.dialFault(err).Message,
		} {
			if strings.Contains(text, canary) {
				t.Errorf("%s of %+v: %s", name, err, text)
			}
		}
		if statementFault(err).Reason == "" || loginFault(err, err).Reason == "" || checker.dialFault(err).Reason == "" {
			t.Errorf("%+v has no reason", err)
		}
	})
}

// The URL carries a password, so that no error and no name of an ignored key quotes it, and
// what is accepted is one host. Every Z becomes a canary in the place of a password.
func FuzzApplicationURL(f *testing.F) {
	for _, seed := range []string{"postgres://u:Z@h:1/db?sslmode=require", "postgresql://u:Z@[::1]/%2f", "postgres://u:Z@h?sslmode=no", "postgres://u:Z@h/%zz", "postgres:Z", "postgres://u:Z@a,b/x", "postgres://u:Z@h?x=Z", "postgres://u:Z@h?a=%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, others, err := parseApplicationURL(strings.ReplaceAll(text, ":Z@", ":"+canary+"@"))
		switch {
		case err != nil && strings.Contains(err.Error(), canary):
			t.Errorf("%q: %v", text, err)
		case err == nil && !config.IsHost(u.Hostname()):
			t.Errorf("%q has the host %q and the other keys %q", text, u.Host, others)
		}
	})
}

// A position goes into the next statement: what passes has no character that could end a
// literal.
func FuzzPosition(f *testing.F) {
	f.Add("0/16B3748")
	f.Add("0/0'; DROP")
	f.Add("FFFFFFFF/FFFFFFFF\n")
	f.Fuzz(func(t *testing.T, text string) {
		if position.MatchString(text) && (len(text) > 17 || strings.Trim(text, "0123456789ABCDEF/") != "") {
			t.Errorf("%q passes", text)
		}
	})
}
