package server

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/reims/reims-health/pkg/health"
)

// The text format of ?verbose is that of Kubernetes' own health endpoints: one
// line per check, and a last line with the result.

func (s *responseSet) textHealth(Details) (int, string) {
	var b strings.Builder
	for _, p := range s.parts {
		b.WriteString(p.line)
	}
	return outcome(&b, "health", s.view.Status() != health.Unhealthy)
}

func textService(r health.Result, line string) (int, string) {
	var b strings.Builder
	b.WriteString(line)
	return outcome(&b, r.Service.Name, r.OK())
}

func textLine(r health.Result, d Details) string {
	name := r.Service.Name
	switch {
	case r.Status == health.Healthy:
		return fmt.Sprintf("[+]%s ok\n", name)
	case r.Status == health.Degraded:
		return fmt.Sprintf("[+]%s ok: degraded: %s\n", name, withheld(r.Reason(), d))
	default:
		return fmt.Sprintf("[-]%s failed: %s%s\n", name, withheld(r.Reason(), d), scopeText(r.Scope, r.Finding, d))
	}
}

// scopeText returns the end of a line with the scope of a fault; "" if no peers are
// asked.
func scopeText(scope health.Scope, f health.Finding, d Details) string {
	if scope == "" || d == Off {
		return ""
	}
	return ": " + scope.Describe(f)
}

func withheld(reason health.Reason, d Details) string {
	if d == Off {
		return "reason withheld"
	}
	return string(reason)
}

func (s *responseSet) textReady(d Details) (int, string) {
	v := s.view
	ready := v.Readiness()
	causes := map[string]health.Cause{}
	for _, c := range ready.Causes {
		causes[c.Source] = c
	}
	var b strings.Builder
	for _, r := range v.Results() {
		b.WriteString(readyLine(r, causes, d))
	}
	if v.Override() != health.NoOverride {
		fmt.Fprintf(&b, "%soverride %s\n", sign(v.Override() == health.OverrideReady), v.Override())
	}
	if v.Draining() {
		b.WriteString("[-]shutdown in progress\n")
	}
	return outcome(&b, "ready", ready.Ready)
}

func readyLine(r health.Result, causes map[string]health.Cause, d Details) string {
	name := r.Service.Name
	cause, blocks := causes[name]
	switch {
	case r.Service.Readiness == health.PolicyIgnore:
		return fmt.Sprintf("[+]%s excluded: ok\n", name)
	case !blocks:
		return fmt.Sprintf("[+]%s ok\n", name)
	case cause.Held:
		return fmt.Sprintf("[+]%s ok: held: %s%s\n", name, withheld(cause.Reason, d), scopeText(cause.Scope, cause.Finding, d))
	case cause.Grace:
		return fmt.Sprintf("[+]%s ok: in grace: %s%s\n", name, withheld(cause.Reason, d), scopeText(cause.Scope, cause.Finding, d))
	default:
		return fmt.Sprintf("[-]%s failed: %s%s\n", name, withheld(cause.Reason, d), scopeText(cause.Scope, cause.Finding, d))
	}
}

func (s *responseSet) textLive(Details) (int, string) {
	return http.StatusOK, "[+]scheduler ok\nlive check passed\n"
}

func (s *responseSet) textNotAlive(Details) (int, string) {
	return http.StatusServiceUnavailable, "[-]scheduler failed: it has not run for too long\nlive check failed\n"
}

func sign(ok bool) string {
	if ok {
		return "[+]"
	}
	return "[-]"
}

func outcome(b *strings.Builder, check string, ok bool) (int, string) {
	verdict := "failed"
	if ok {
		verdict = "passed"
	}
	fmt.Fprintf(b, "%s check %s\n", check, verdict)
	return httpCode(ok), b.String()
}
