package postgres

// EndLifetime makes the next check find its connections too old, as it would a
// minute after they were dialled.
func (p *Checker) EndLifetime() { p.Redial() }
