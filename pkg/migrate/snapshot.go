package migrate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/reims/reims-health/migrations"
)

// Snapshot is the [Catalog] that the migrations up to Version end with.
type Snapshot struct {
	Version int64 `json:"version"`
	Catalog
}

// EmbeddedSnapshot returns the snapshot that belongs to the embedded migrations.
func EmbeddedSnapshot() (*Snapshot, error) {
	s := new(Snapshot)
	if err := json.Unmarshal(migrations.Snapshot, s); err != nil {
		return nil, fmt.Errorf("read the embedded snapshot of the schema: %w", err)
	}
	return s, nil
}

// Advance makes the snapshot that of the next version. Objects that were not there
// before are marked as that version's.
func (s *Snapshot) Advance(version int64, next Catalog) {
	s.Version = version
	advance(s, s.Functions, next.Functions, func(o *Function) *Added { return &o.Added })
	advance(s, s.Columns, next.Columns, func(o *Column) *Added { return &o.Added })
	advance(s, s.Constraints, next.Constraints, func(o *Constraint) *Added { return &o.Added })
	advance(s, s.Indexes, next.Indexes, func(o *Index) *Added { return &o.Added })
	advance(s, s.Triggers, next.Triggers, func(o *Trigger) *Added { return &o.Added })
	s.Catalog = next
}

func advance[T object[T]](s *Snapshot, before, next []T, added func(*T) *Added) {
	for i := range next {
		since := s.Version
		if o, ok := find(before, next[i].id()); ok {
			since = o.since()
		}
		added(&next[i]).Since = since
	}
}

// Restored notes the definitions of again, a catalog that was made from the words of
// this one, where they differ.
func (s *Snapshot) Restored(again Catalog) {
	restored(s.Functions, again.Functions, func(o *Function) *Definition { return &o.Definition })
	restored(s.Constraints, again.Constraints, func(o *Constraint) *Definition { return &o.Definition })
	restored(s.Indexes, again.Indexes, func(o *Index) *Definition { return &o.Definition })
	restored(s.Triggers, again.Triggers, func(o *Trigger) *Definition { return &o.Definition })
}

func restored[T object[T]](want, again []T, definition func(*T) *Definition) {
	for i := range want {
		if o, ok := find(again, want[i].id()); ok && !definition(&want[i]).matches(*definition(&o)) {
			definition(&want[i]).Restored = definition(&o).Text
		}
	}
}

// Encode returns the snapshot as JSON with one object a line, fit for a diff.
func (s *Snapshot) Encode() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n\"version\": %d", s.Version)
	for _, err := range []error{
		encode(&b, "functions", s.Functions),
		encode(&b, "columns", s.Columns),
		encode(&b, "constraints", s.Constraints),
		encode(&b, "indexes", s.Indexes),
		encode(&b, "triggers", s.Triggers),
	} {
		if err != nil {
			return nil, fmt.Errorf("encode the snapshot: %w", err)
		}
	}
	b.WriteString("\n}\n")
	return b.Bytes(), nil
}

func encode[T any](b *bytes.Buffer, name string, objects []T) error {
	fmt.Fprintf(b, ",\n%q: [", name)
	separator := "\n  "
	for _, o := range objects {
		var line bytes.Buffer
		enc := json.NewEncoder(&line)
		enc.SetEscapeHTML(false) // >= is easier to read than its escape
		if err := enc.Encode(o); err != nil {
			return err
		}
		b.WriteString(separator)
		b.Write(bytes.TrimSpace(line.Bytes()))
		separator = ",\n  "
	}
	b.WriteString("\n]")
	return nil
}
