package state

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reims/reims-health/pkg/health"
)

// Whatever is read is what this program could have written, and its errors do not
// repeat the content.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"pod":"a","services":{"database":{"definition":"d","proven":true,"failing_since":"2026-01-02T03:04:05.000000006Z"}}}`))
	f.Add([]byte(`{"format":1,"pod":"","services":null}`))
	f.Add([]byte(`{"format":1,"services":{"a":{"failing_since":"9999-12-31T23:59:59+23:59"}}}`))
	f.Add([]byte(`{"format":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := decode(content)
		if err != nil {
			if text := err.Error(); len(text) > 80 {
				t.Fatalf("%q", text)
			}
			return
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(text)
		if diff := cmp.Diff(d, again); err != nil || diff != "" {
			t.Fatalf("%v, decoded again (-want +got):\n%s", err, diff)
		}
		for name, r := range d.restored(map[string]string{"database": "d"}) {
			if name != "database" {
				t.Fatalf("restored %s: %v", name, r)
			}
		}
	})
}

// The most services, with the longest names, are well below the bound of the file.
func TestTheLargestDocumentIsRead(t *testing.T) {
	t.Parallel()
	definitions := make(map[string]string)
	var results []health.Result
	for i := range 16 {
		name := strings.Repeat(string(rune('a'+i)), 32)
		definitions[name] = strings.Repeat("d", 32)
		svc := &health.Service{Name: name, Restored: health.Restored{Proven: true, FailingSince: time.Unix(1, 1)}}
		results = append(results, health.NewResult(svc, time.Now()))
	}
	content, err := encode(strings.Repeat("p", 253), definitions, health.NewView(time.Time{}, results, health.NoOverride, false))
	if err != nil || len(content) > maxSize/2 {
		t.Fatalf("%d bytes, %v", len(content), err)
	}
	d, err := decode(content)
	if known := d.restored(definitions); err != nil || len(known) != 16 {
		t.Fatalf("%v, %v", known, err)
	}
}

// A disk that does not answer holds up neither the core nor, for longer than a second,
// the end.
func TestFrozenDiskIsAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &Keeper{Path: "/state", read: make(chan struct{})} // the read never comes back
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- k.Start(ctx, make(chan *health.View)) }()
		synctest.Wait()
		cancel()
		begin := time.Now()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "abandoned") {
			t.Errorf("%v", err)
		}
		if d := time.Since(begin); d != closePatience {
			t.Errorf("it took %s", d)
		}
		close(k.read)
	})
}
