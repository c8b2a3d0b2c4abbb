package check_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/check"
)

func TestObjectKeepsItsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[a-z_.]{0,8}`), rapid.ID).Draw(t, "keys")
		var o check.Object
		for _, key := range keys {
			o = append(o, check.Member{Key: key, Value: json.RawMessage(rapid.SampledFrom([]string{`1`, `null`, `"x"`, `[1]`, `{"a":{}}`}).Draw(t, "value"))})
		}
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var read check.Object
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(read)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%s became %s: %v", text, again, err)
		}
	})
}

func TestObject(t *testing.T) {
	t.Parallel()
	var o check.Object
	if err := json.Unmarshal([]byte(`{"z":"a\u001b[2Jb","a":1.5,"n":null}`), &o); err != nil {
		t.Fatal(err)
	}
	if got := o.Text("z"); got != "a?[2Jb" {
		t.Errorf("%q can steer a terminal", got)
	}
	if n, ok := o.Number("a"); n != 1.5 || !ok {
		t.Error(n, ok)
	}
	if _, ok := o.Number("n"); ok {
		t.Error("null is no number")
	}
	if diff := cmp.Diff([]string{"z", "a", "n"}, o.Keys()); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{`[]`, `1`, `{"a":1,"a":2}`, `{"a"`, `{"a":}`, `{"` + strings.Repeat("a", 201) + `":1}`, keys(1001)} {
		if err := json.Unmarshal([]byte(wrong), &o); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	if err := json.Unmarshal([]byte(keys(1000)), &o); err != nil {
		t.Error(err)
	}
}

// keys is an object with so many of them.
func keys(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"%d":%d`, i, i))
	}
	return "{" + strings.Join(all, ",") + "}"
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	const hostile = "a\x1b]0;title\x07 \u009b2J \u202eb\u2066\u200f\u2028\n"
	if got := check.Printable(hostile); got != "a?]0;title? ?2J ?b????" {
		t.Errorf("%q can steer a terminal", got)
	}
	const harmless = "größer 健康 … █"
	if got := check.Printable(harmless); got != harmless {
		t.Errorf("%q", got)
	}
}
