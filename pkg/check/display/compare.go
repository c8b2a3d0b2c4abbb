package display

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/reims/reims-health/pkg/check"
)

// Comparison writes what differs: what is not meant, and then what is, by the reason.
// Values that are measured anew at each moment are only counted.
func (p *Printer) Comparison(c *check.Comparison) {
	p.line("old  ", c.Old)
	p.line("new  ", c.New)
	for _, group := range groups(c) {
		p.line()
		if group[0].Kind == check.Unmeant {
			p.line(red().Render("DIFFERS"))
		} else {
			p.beside(yellow().Render("meant")+"  ", group[0].Why)
		}
		p.differences(group)
	}
	unmeant := fmt.Sprintf("not meant: %d", c.Unmeant)
	if c.Unmeant > 0 {
		unmeant = red().Render(unmeant)
	}
	p.line()
	p.line(fmt.Sprintf("fields the same: %d, measured anew: %d, different as meant: %d, ", c.Same, c.Measured, c.Meant), unmeant)
}

// groups are the differences by the reason; those with none, which are not meant, come
// first.
func groups(c *check.Comparison) [][]check.Difference {
	var all [][]check.Difference
	for _, d := range c.Differences {
		if d.Kind == check.Measured {
			continue
		}
		i := slices.IndexFunc(all, func(group []check.Difference) bool { return group[0].Why == d.Why })
		switch {
		case i >= 0:
			all[i] = append(all[i], d)
		case d.Kind == check.Unmeant:
			all = slices.Insert(all, 0, []check.Difference{d})
		default:
			all = append(all, []check.Difference{d})
		}
	}
	return all
}

// differences writes a line each; of fields that are new, a line a path.
func (p *Printer) differences(group []check.Difference) {
	const pathWidth = 18
	for len(group) > 0 {
		d := group[0]
		left := fmt.Sprintf("  %-*s  ", pathWidth, d.Path)
		if d.Old != nil || d.Kind == check.Unmeant {
			p.beside(left, fmt.Sprintf("%s: %s -> %s", d.Field, side(d.Old), side(d.New)))
			group = group[1:]
			continue
		}
		n := 1
		for n < len(group) && group[n].Old == nil && group[n].Path == d.Path {
			n++
		}
		p.beside(left, strings.Join(names(group[:n]), ", "))
		group = group[n:]
	}
}

func names(group []check.Difference) []string {
	var all []string
	for _, d := range group {
		all = append(all, strings.TrimPrefix(d.Field, "details."))
	}
	return all
}

func side(raw json.RawMessage) string {
	if raw == nil {
		return "(none)"
	}
	return value(raw)
}
