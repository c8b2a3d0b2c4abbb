package postgres

import (
	"cmp"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/reims/reims-health/pkg/health"
)

// writesName is the name of the part that asks for it.
const writesName = "whether writes hang"

// position is one of the log, or none. What a server says is put into the next statement.
var position = regexp.MustCompile(`^([0-9A-F]{1,8}/[0-9A-F]{1,8})?$`)

// stalledAfter is the least time between the first and the last of the checks that must find a
// commit waiting for it to count as stalled. It is less than 5 s so that two checks of the
// default interval and its jitter are enough; the failure threshold asks for one more check.
const stalledAfter = 4 * time.Second

// part asks how far the write-ahead log is on disk and which commits wait for it or for
// a synchronous standby. pg_stat_activity, which costs a row per connection, is read only
// where that can tell anything: where the log stands where it stood at the last check, with
// more to be written, or where fewer standbys than must have applied the log up to there.
// The functions of the log are an error on a standby. Answers to a role without
// pg_read_all_stats are about its own sessions alone.
func (w *writesWatch) part() part {
	const sql = `WITH wal AS MATERIALIZED (
    SELECT pg_catalog.pg_is_in_recovery() AS standby,
           CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END AS flushed,
           CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_insert_lsn() END AS inserted,
           pg_catalog.current_setting('synchronous_standby_names') AS names)
SELECT coalesce(flushed::pg_catalog.text, ''),
       EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())::pg_catalog.text,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
       CASE WHEN NOT standby AND (
                flushed OPERATOR(pg_catalog.=) '%[1]s' AND inserted OPERATOR(pg_catalog.>) flushed
                OR names OPERATOR(pg_catalog.<>) '' AND
                   (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders()
                     WHERE sync_state OPERATOR(pg_catalog.=) ANY ('{sync,quorum}') AND replay_lsn OPERATOR(pg_catalog.>=) '%[1]s')
                   OPERATOR(pg_catalog.<) coalesce(pg_catalog.substring(names, '([0-9]{1,9}) *[(]')::pg_catalog.int8, 1))
            THEN (SELECT pg_catalog.concat(
                             pg_catalog.count(*) FILTER (WHERE wait_event OPERATOR(pg_catalog.<>) 'SyncRep'), ' ',
                             pg_catalog.array_to_string((pg_catalog.array_agg(
                                 pg_catalog.concat(pid, '@', backend_xid) ORDER BY pg_catalog.age(backend_xid) DESC, pid)
                                 FILTER (WHERE wait_event OPERATOR(pg_catalog.=) 'SyncRep' AND backend_xid IS NOT NULL))[1:%[2]d], ' '))
                    FROM pg_catalog.pg_stat_activity
                   WHERE backend_type OPERATOR(pg_catalog.=) 'client backend'
                     AND wait_event OPERATOR(pg_catalog.=) ANY ('{WALWrite,WALSync,WALInitWrite,WALInitSync,WalWrite,WalSync,WalInitWrite,WalInitSync,SyncRep}'))
            ELSE '' END
  FROM wal`
	return part{
		name:   writesName,
		advice: "GRANT SELECT ON pg_stat_activity, and EXECUTE ON FUNCTION pg_current_wal_flush_lsn(), pg_current_wal_insert_lsn() TO the role",
		sql:    fmt.Sprintf(sql, cmp.Or(w.latest.flushed, "0/0"), mostWaiting), // at 0/0 stands no log
		scan: func(s *state, a *answer) {
			s.writes = &writes{flushed: a.text(), started: a.text(), seesAll: a.flag()}
			if !position.MatchString(s.writes.flushed) {
				a.fail(s.writes.flushed)
			}
			waiting, standby, read := strings.Cut(a.text(), " ")
			s.writes.waiting, s.writes.standby = read && waiting != "0", strings.Fields(standby)
		},
	}
}

// mostWaiting is how many commits that wait for a standby one answer names: those of the oldest
// transactions. Where writes hang, they are the same at the next check.
const mostWaiting = 16

// writes is what the server tells of the write-ahead log.
type writes struct {
	flushed string   // how far it is on disk; empty on a standby
	started string   // when the server started
	seesAll bool     // the role sees what the sessions of every role wait for
	waiting bool     // some wait for the log to be written
	standby []string // those that wait for a synchronous standby, each by its process and its transaction
}

// writesWatch remembers, from one check to the next, which commits wait. See
// cloudnative-pg#10678: a server on which every commit hangs answers all else.
type writesWatch struct {
	latest  writes
	since   time.Time            // from when on every check found commits that wait for the log where it stands; zero: not so
	standby map[string]time.Time // when each that waits for a standby was first seen
	limited bool                 // it was logged that other roles' sessions are not seen
}

// take compares what a check read with what those before it read. Nil is a check that could
// not read it.
func (w *writesWatch) take(now time.Time, s *writes) {
	if s == nil || s.flushed == "" || s.started != w.latest.started {
		w.since, w.standby = time.Time{}, nil
	}
	if s == nil {
		w.latest = writes{}
		return
	}
	if s.waiting && s.flushed == w.latest.flushed {
		if w.since.IsZero() {
			w.since = now
		}
	} else {
		w.since = time.Time{}
	}
	before := w.standby
	w.standby = map[string]time.Time{}
	for _, session := range s.standby {
		first, known := before[session]
		if !known {
			first = now
		}
		w.standby[session] = first
	}
	w.latest = *s
}

// judge finds commits that have waited for too long.
func (w *writesWatch) judge(now time.Time) error {
	if !w.since.IsZero() && now.Sub(w.since) >= stalledAfter {
		return &health.Fault{Reason: ReasonWritesStalled, Message: "writes hang: commits wait for the write-ahead log, which is not being written to disk"}
	}
	for _, first := range w.standby {
		if now.Sub(first) >= stalledAfter {
			return &health.Fault{Reason: ReasonWritesStalled, Message: "writes hang: commits wait for a synchronous standby that does not confirm them"}
		}
	}
	return nil
}

// takeWrites keeps what a check read of the write-ahead log, and logs once that the role sees
// only its own sessions.
func (p *Checker) takeWrites(s *writes) {
	p.writes.take(time.Now(), s)
	if s != nil && !s.seesAll && !p.writes.limited {
		p.writes.limited = true
		p.opts.Logger.Info("Writes of other roles that hang are not seen: the role of the check sees only its own sessions",
			slog.String("advice", p.opts.Prefix.Expand("GRANT pg_read_all_stats TO the role")))
	}
}
