package ollama

import "time"

// InferenceDue makes the next check try inference if nothing else speaks against
// it, as it would a minute after the last try.
func (o *Checker) InferenceDue() { o.inference.next = time.Time{} }
