package check

// Verdict is what one check comes to.
type Verdict string

// The verdicts, from good to bad.
const (
	Pass Verdict = "pass"
	// Degraded is an answer in order that tells of a service that is not quite well. It
	// passes.
	Degraded Verdict = "degraded"
	Fail     Verdict = "fail"
)

// Check is one endpoint, asked and judged.
type Check struct {
	Path    string  `json:"path"`
	Verdict Verdict `json:"verdict"`
	// Code is the answer's HTTP code; 0 where none came.
	Code int `json:"code,omitempty"`
	// TimeMS is how long the answer took, in milliseconds.
	TimeMS float64 `json:"time_ms"`
	// Note is what the answer says, in short.
	Note string `json:"note,omitempty"`
	// Problems are what is wrong with it.
	Problems []string `json:"problems,omitempty"`
}

// Report is a whole run.
type Report struct {
	URL     string  `json:"url"`
	Success bool    `json:"success"`
	Checks  []Check `json:"checks"`
	// Counts of the checks by verdict.
	Passed   int `json:"passed"`
	Degraded int `json:"degraded"`
	Failed   int `json:"failed"`
	// TimeMS is how long the run took, in milliseconds.
	TimeMS float64 `json:"time_ms"`
}

func (r *Report) add(c Check) {
	r.Checks = append(r.Checks, c)
	switch c.Verdict {
	case Pass:
		r.Passed++
	case Degraded:
		r.Degraded++
	case Fail:
		r.Failed++
	}
	r.Success = r.Failed == 0
}
