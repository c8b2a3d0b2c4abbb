package statuspage

// Keeps reports whether a rendered page is kept.
func (p *Page) Keeps() bool { return !p.latest.Empty() }
