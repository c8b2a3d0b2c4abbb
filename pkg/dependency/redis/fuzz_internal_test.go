package redis

import (
	"errors"
	"strings"
	"testing"

	"github.com/reims/reims-health/pkg/health"
)

const canary = "c4n4ry-of-the-server"

// Whatever INFO and CLUSTER INFO answer, a check ends, its measures are numbers of the
// answer or its own lines, and the message of a fault has no word of the answer. Every Z
// becomes a canary.
func FuzzInfo(f *testing.F) {
	f.Add("# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\nused_memory:1024\r\nmaxmemory:1024\r\nmaxmemory_policy:noeviction\r\n", "cluster_state:ok\r\n")
	f.Add("role:slave\r\nslave_read_only:1\r\nZ:Z\r\n", "cluster_state:fail\r\ncluster_slots_assigned:-9223372036854775808\r\n")
	f.Add("used_memory:9223372036854775807\r\nmem_not_counted_for_evict:-1\r\nmaxmemory:-1\r\nmaxmemory_policy:volatile-lru\r\n# Keyspace\r\ndb0:keys=Z,expires=9223372036854775807\r\ndb1:expires=1", "")
	f.Add("redis_mode:sentinel\nredis_version:Z\nrole:Z", "Z")
	f.Add("role:master\nmin_slaves_good_slaves:-1", "cluster_state:Z\ncluster_slots_fail:Z")
	f.Fuzz(func(t *testing.T, text, cluster string) {
		text, cluster = strings.ReplaceAll(text, "Z", canary), strings.ReplaceAll(cluster, "Z", canary)
		info, err := parseInfo(text)
		if err != nil {
			if !errors.Is(err, errNotRedis) {
				t.Fatal(err)
			}
			return
		}
		_ = info.takesSections()
		reply := reply{info: info}
		if c, err := parseInfo(cluster); err == nil {
			reply.cluster = c
		}
		seen, err := new(Checker).judge(reply)
		if len(seen.Values) > 7 {
			t.Errorf("%d measures", len(seen.Values))
		}
		var fault *health.Fault
		if err != nil && !errors.As(err, &fault) {
			t.Fatalf("%v is no fault", err)
		}
		if fault != nil && (fault.Reason == "" || strings.Contains(fault.Message, canary)) {
			t.Errorf("fault %q: %s", fault.Reason, fault.Message)
		}
	})
}

// The URL carries a password, so that no error quotes any of it, and what is accepted can be
// dialled. Every Z becomes a canary.
func FuzzApplicationURL(f *testing.F) {
	for _, seed := range []string{"redis://:Z@h:1/2", "rediss://u:Z@[::1]", "redis://Z@h#Z", "redis://%zzZ@h", "Z://Z", "redis:Z", "redis://h/Z", "redis://a:Z@h:Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, db, err := parseURL(strings.ReplaceAll(text, "Z", canary))
		switch {
		case err != nil && strings.Contains(err.Error(), canary):
			t.Errorf("%q: %v", text, err)
		case err == nil && (u.Hostname() == "" || db < 0):
			t.Errorf("%q is %v, database %d", text, u, db)
		}
	})
}
