package golden_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/minio/minio-go/v7"
	"github.com/redis/go-redis/v9"

	"github.com/reims/reims-health/pkg/config"
)

// The secrets have what quoting and escaping change.
const (
	plainSecret = "7f3a9c-" + canary
	oddSecret   = canary + `/%+"'\<&é?#@:`
)

// TestRedaction holds what is left of texts with secrets in them: of errors, URLs and
// headers as the drivers make them.
func TestRedaction(t *testing.T) {
	t.Parallel()
	var redactor config.Redactor
	for _, secret := range []string{plainSecret, oddSecret, "line-" + canary + "\n"} {
		redactor.Add(secret)
	}
	var b strings.Builder
	for _, text := range driverTexts(t) {
		fmt.Fprintf(&b, "%s\n\t%s\n", text.name, strings.ReplaceAll(mask(redactor.Redact(text.text)), "\n", "\n\t"))
	}
	compare(t, "redaction.txt", b.String())
}

type namedText struct{ name, text string }

func driverTexts(t *testing.T) []namedText {
	t.Helper()
	text := func(name string, err error) namedText {
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		return namedText{name, err.Error()}
	}
	odd, _ := json.Marshal(oddSecret)
	basic := &http.Request{Header: http.Header{}}
	basic.SetBasicAuth("app", oddSecret)
	all := []namedText{
		{"nothing secret", "dial tcp 10.0.0.7:6379: connect: connection refused"},
		{"a value", "password " + plainSecret + " refused, " + plainSecret + plainSecret},
		{"a part of a value is no secret", "password " + plainSecret[:6] + " of " + plainSecret[1:5]},
		{"with a newline", "(line-" + canary + "\n) (line-" + canary + ")"},
		{"quoted", fmt.Sprintf("%q %+q %s", oddSecret, oddSecret, odd)},
		{"escaped", url.QueryEscape(oddSecret) + " " + url.PathEscape(oddSecret) + " " + strings.ToLower(url.QueryEscape(oddSecret))},
		{"base64", base64.StdEncoding.EncodeToString([]byte("app:"+plainSecret)) + " " + base64.RawURLEncoding.EncodeToString([]byte(plainSecret))},
		{"a header", fmt.Sprint(basic.Header)},
		{"URLs of what is not known", "postgres://u:p@ss@db/x, redis://:pw@[::1]:6379/0, https://token@h/a?b=c@d, user@example.com, http://h/@x"},
		{"a keyword string", "host=db user=app password=" + plainSecret + " sslmode=disable"},
		{"an SQL error", (&pgconn.PgError{Severity: "FATAL", Code: "28P01", Message: "password " + oddSecret + " for app"}).Error()},
		{"a Redis error", redis.Error(redisError("WRONGPASS invalid " + oddSecret)).Error()},
		{"an S3 error", minio.ErrorResponse{Code: "SignatureDoesNotMatch", Message: "key " + plainSecret, BucketName: "b"}.Error()},
	}
	_, err := url.Parse(fmt.Sprintf("redis://app:%s@redis:x/0", plainSecret))
	all = append(all, text("url.Parse", err))
	_, err = pgx.ParseConfig("postgres://app:" + plainSecret + "@db:port/reims")
	all = append(all, text("pgx.ParseConfig", err))
	_, err = redis.ParseURL("redis://app:" + plainSecret + "@redis:port/db")
	all = append(all, text("redis.ParseURL", err))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app:"+plainSecret+"@127.0.0.1:1/api?key="+plainSecret, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	_, err = http.DefaultClient.Do(request)
	all = append(all, text("http.Client.Do", err))
	_, err = pgx.Connect(t.Context(), "postgres://app:"+plainSecret+"@127.0.0.1:1/"+plainSecret+"?sslmode=disable")
	return append(all, text("pgx.Connect", err))
}

type redisError string

func (e redisError) Error() string { return string(e) }
func (redisError) RedisError()     {}

// TestLogRedaction holds what is left of log records with a secret in each place that a
// record has.
func TestLogRedaction(t *testing.T) {
	t.Parallel()
	var redactor config.Redactor
	redactor.Add(plainSecret)
	cause := errors.New("refused " + plainSecret)
	attrs := []any{
		"string", plainSecret, "number", 5432, "on", true, "nil", nil,
		"error", fmt.Errorf("ping: %w", cause), "joined", errors.Join(cause, context.Canceled), "errors",
		[]error{cause},
		"url", &url.URL{Scheme: "http", Host: "h", User: url.UserPassword("u", plainSecret)},
		"bytes", []byte(plainSecret), "raw", json.RawMessage(`{"k":"` + plainSecret + `"}`), "list",
		[]string{"a", plainSecret},
		"map",
		map[string]any{"k": plainSecret},
		"struct",
		struct{ S string }{plainSecret},
		"pointer", &struct{ S string }{plainSecret},
		slog.Group("group", "inner", plainSecret, slog.Group("deep", "error", cause)),
	}
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var b bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&b, options), slog.NewJSONHandler(&b, options)} {
		log := slog.New(redactor.Handler(handler))
		log.Debug("message "+plainSecret, attrs...)
		log.With("with", plainSecret).WithGroup("outer").Warn("grouped", "inner", plainSecret)
	}
	compare(t, "redaction.log", mask(b.String(), inLogs))
}
