package migrate

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/reims/reims-health/migrations"
)

// Options say how to migrate. The zero value of a field stands for its default,
// unless it says otherwise.
type Options struct {
	// FS holds the steps, as goose reads them. Default [migrations.FS].
	FS fs.FS
	// ConnectTimeout is how long a server that cannot be reached, or is starting up, is
	// tried again. Default 30 s.
	ConnectTimeout time.Duration
	// RetryFor is how long Up tries again after a failure that may pass by itself; a
	// server that cannot be reached is then tried for that long too. It bounds no run
	// that is at work. The zero value does not try again.
	RetryFor time.Duration
	// LockWait is how long another runner is waited for. The zero value tries once.
	LockWait time.Duration
	// LockTimeout bounds the wait for a lock on a table, during which everybody else
	// queues behind this one. Default 5 s.
	LockTimeout time.Duration
	// StatementTimeout bounds each statement, on the server. The zero value does not.
	StatementTimeout time.Duration
	// Report is called before and after each step, from the goroutine that runs it. The
	// default discards the events.
	Report func(Event)
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = migrations.FS
	}
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, 30*time.Second)
	o.LockTimeout = cmp.Or(o.LockTimeout, 5*time.Second)
	if o.Report == nil {
		o.Report = func(Event) {}
	}
	return o
}

// Migrator moves one database between versions of the schema. Its methods are safe
// for concurrent use, here and in other processes: one runs, the others wait.
type Migrator struct {
	pool    *pgxpool.Pool
	options Options
	steps   []Step
	adopts  bool // the first step is the one that adoption leads to
}

// New reads the names of the steps. It contacts nobody. The pool stays the caller's;
// a bound on its statements must be above StatementTimeout.
func New(pool *pgxpool.Pool, o Options) (*Migrator, error) {
	o = o.withDefaults()
	if min(o.ConnectTimeout, o.RetryFor, o.LockWait, o.LockTimeout, o.StatementTimeout) < 0 {
		return nil, errors.New("set up migrations: a duration is negative")
	}
	steps, err := readSteps(o.FS)
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	return &Migrator{pool: pool, options: o, steps: steps, adopts: sameFile(o.FS, migrations.FS, steps[0].File)}, nil
}

func sameFile(a, b fs.FS, name string) bool {
	x, err1 := fs.ReadFile(a, name)
	y, err2 := fs.ReadFile(b, name)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// Latest is the newest version that this program knows.
func (m *Migrator) Latest() int64 { return m.steps[len(m.steps)-1].Version }

// Kind says what an [Event] is.
type Kind string

// What is reported. Done follows Start; Adopted and Undone follow it as well.
const (
	Waiting Kind = "waiting" // for the lock that another runner holds; once
	// Retrying says that something failed and is tried again, once for each reason and
	// from time to time.
	Retrying Kind = "retrying"
	Start    Kind = "start"   // of a step, up or down
	Adopted  Kind = "adopted" // the first step was there already, and was completed
	Applied  Kind = "applied"
	Undone   Kind = "undone"
)

// Event is something that happened while migrating.
type Event struct {
	Kind   Kind
	Step   Step
	Took   time.Duration // of a step that is done
	Holder string        // of Waiting: who holds the lock, in words; may be empty
	Err    error         // of Retrying
	// Changes, of Adopted, are what was different from the first step, in words.
	Changes []string
}

// Result is what was done.
type Result struct {
	From, To int64 // versions before and after
	// Newer is set when the database is newer than this program, which then did nothing.
	Newer bool
}
