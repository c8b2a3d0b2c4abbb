package fleet

import (
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// The words for how far a fault reaches. Everything that tells people of it takes them from here.

// Where says in a few words where the service is unhealthy: shared, zone a, node n1 +2, pods. It
// is "" where no Pod calls it unhealthy.
func (s *ServiceSummary) Where() string {
	words := string(s.Extent)
	if (s.Extent == ExtentNode || s.Extent == ExtentZone) && len(s.Names) > 0 {
		words += " " + s.Names[0]
		if more := len(s.Names) - 1; more > 0 {
			words += " +" + strconv.Itoa(more)
		}
	}
	return words
}

// Sentence says where the service is unhealthy, and for how many of the Pods that can tell. It is
// "" where no Pod calls it unhealthy.
func (v Verdict) Sentence() string {
	of := webpage.NumberText(float64(v.Failing)) + " of " + count(v.Pods, "Pod")
	if v.Unknown > 0 {
		of = webpage.NumberText(float64(v.Failing)) + " of the " + count(v.Pods, "Pod") + " that can tell"
	}
	names := webpage.Enumerate(v.Names)
	if len(v.Names) == MaxNames {
		names = strings.Join(v.Names, ", ") + " and maybe more"
	}
	switch v.Extent {
	case ExtentShared:
		return "Shared by most Pods: " + of + "."
	case ExtentZone:
		return "Only in " + plural(v.Names, "zone") + " " + names + ": " + of + "."
	case ExtentNode:
		return "Only on " + plural(v.Names, "node") + " " + names + ": " + of + "."
	case ExtentPods:
		if v.Failing > MaxNames {
			return "Some Pods, with no node or zone in common: " + of + "."
		}
		return "Only " + plural(v.Names, "Pod") + " " + names + ": " + of + "."
	default:
		return ""
	}
}

func plural(names []string, noun string) string {
	if len(names) == 1 {
		return noun
	}
	return noun + "s"
}

// count is a number of things, such as 1 Pod or 12 Pods.
func count(n int, noun string) string {
	text := webpage.NumberText(float64(n)) + " " + noun
	if n != 1 {
		text += "s"
	}
	return text
}

// severity is the order of statuses: what needs attention first.
var severity = []health.Status{health.Unhealthy, health.Degraded, health.Unknown, health.Healthy}
