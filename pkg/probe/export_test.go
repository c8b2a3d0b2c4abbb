package probe

import "time"

// EndLifetime makes the next check find its connections too old, as it would a
// minute after they were dialled.
func (p *Postgres) EndLifetime() { p.due = time.Time{} }

// InferenceDue makes the next check try inference if nothing else speaks against
// it, as it would a minute after the last try.
func (o *Ollama) InferenceDue() { o.inference.next = time.Time{} }
