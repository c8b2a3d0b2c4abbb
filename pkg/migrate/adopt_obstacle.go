package migrate

import (
	"context"
	"fmt"
	"strings"
)

// rule is something that rows can break.
type rule struct {
	name      string
	condition string // SQL; true of a row that breaks it
}

// obstacles lists what makes adoption impossible: another kind of table, and rows that
// would have to be changed in a way that only a person can decide.
func (s *session) obstacles(ctx context.Context, a *adoption, have *Catalog) ([]string, error) {
	if problems := a.others.obstacles(a, have); len(problems) > 0 {
		return problems, nil
	}
	problems, rules := obstacles(a.want, have)
	if len(problems) > 0 || len(rules) == 0 {
		return problems, nil
	}
	return s.broken(ctx, a, rules)
}

// obstacles compares the columns, and returns the rules that the rows are yet to be
// held against.
func obstacles(want, have *Catalog) (problems []string, rules []rule) {
	for _, w := range want.Columns {
		h, ok := find(have.Columns, w.id())
		switch {
		case !ok:
			problems = append(problems, label(w)+" is missing")
		case h.Type != w.Type && !zoneless(h, w):
			problems = append(problems, fmt.Sprintf("%s: type is %s, want %s", label(w), h.Type, w.Type))
		case w.NotNull && !h.NotNull && w.Default == "":
			rules = append(rules, rule{label(w) + " NOT NULL", w.Name + " IS NULL"})
		}
	}
	for _, w := range want.Constraints {
		expression, isCheck := strings.CutPrefix(w.Text, "CHECK ")
		h, ok := find(have.Constraints, w.id())
		if isCheck && !(ok && h.Valid && w.matches(h.Definition)) {
			rules = append(rules, rule{label(w) + " " + w.Text, "NOT " + expression})
		}
	}
	return problems, rules
}

// zoneless tells the predecessor's timestamps, which are UTC.
func zoneless(have, want Column) bool {
	return have.Type == "timestamp without time zone" && want.Type == "timestamp with time zone"
}

// broken counts the rows that break each of the rules, in one scan.
func (s *session) broken(ctx context.Context, a *adoption, rules []rule) ([]string, error) {
	counts := make([]int64, len(rules))
	terms, into := make([]string, len(rules)), make([]any, len(rules))
	for i, r := range rules {
		terms[i] = "count(*) FILTER (WHERE " + r.condition + ")"
		into[i] = &counts[i]
	}
	query := "SELECT " + strings.Join(terms, ", ") + " FROM " + a.schema + "." + table
	if err := s.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return nil, s.wrap(ctx, "count the rows that cannot be adopted", err)
	}
	var problems []string
	for i, r := range rules {
		if counts[i] > 0 {
			problems = append(problems, fmt.Sprintf("rows that break %s: %d", r.name, counts[i]))
		}
	}
	return problems, nil
}
