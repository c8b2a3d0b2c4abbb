package migrate

import "strings"

func (t Trigger) id() string { return t.Table + "." + t.Name }
func (t Trigger) kind() kind { return triggers }

func (t Trigger) changes(have Trigger, in string) []change {
	var changes []change
	if !t.matches(have.Definition) {
		mend := t.create(in)
		if have.Always { // which CREATE OR REPLACE would take back
			mend = append(mend, alter(in, t.Table, "ENABLE ALWAYS TRIGGER "+t.Name))
		}
		changes = append(changes, t.redefined(have.Definition, mend))
	}
	if t.Enabled && !have.Enabled {
		enable := alter(in, t.Table, "ENABLE TRIGGER "+t.Name)
		changes = append(changes, change{problem: "is disabled", mend: []string{enable}})
	}
	return changes
}

func (t Trigger) create(in string) []string {
	definition := strings.Replace(on(in, t.Table, t.Text), "CREATE ", "CREATE OR REPLACE ", 1)
	return []string{strings.Replace(definition, " EXECUTE FUNCTION ", " EXECUTE FUNCTION "+in+".", 1) + ";"}
}

func (t Trigger) drop(in string) []string {
	return []string{"DROP TRIGGER IF EXISTS " + t.Name + " ON " + in + "." + t.Table + ";"}
}
