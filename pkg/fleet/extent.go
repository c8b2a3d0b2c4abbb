package fleet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// extentOf finds out how far a service's fault reaches, from the Pods that can tell: those
// that answer and have a result. A Pod for which the service is unhealthy fails; one for
// which it is healthy or degraded is sound. The first rule that fits decides:
//
//  1. No Pod fails: none.
//  2. All Pods that fail are on some of the nodes, or in some of the zones (see [group]):
//     node or zone. Where both fit, it is the zone if it says more: if fewer zones than
//     nodes fail.
//  3. More Pods fail than are sound: shared. This is what most of the sidecars that fail
//     say too, for each of them asks the others and leaves itself out.
//  4. Otherwise: pods.
//
// names are those of the Pods, nodes or zones, sorted, at most [MaxNames]; none where the
// fault is shared.
func extentOf(service string, pods []PodSummary) (extent Extent, names []string) {
	failing, sound := 0, 0
	nodes, zones := grouping{}, grouping{}
	for i := range pods {
		p := &pods[i]
		answer, _ := p.Service(service)
		switch answer.Status {
		case health.Unknown:
			continue
		case health.Unhealthy:
			failing++
			names = append(names, p.Name)
		default:
			sound++
		}
		nodes.add(p.Node, answer.Status == health.Unhealthy)
		zones.add(p.Zone, answer.Status == health.Unhealthy)
	}
	if failing == 0 {
		return ExtentNone, nil
	}
	badNodes, badZones := nodes.atFault(), zones.atFault()
	switch {
	case len(badZones) > 0 && (len(badNodes) == 0 || len(badZones) < len(badNodes)):
		return ExtentZone, sorted(badZones)
	case len(badNodes) > 0:
		return ExtentNode, sorted(badNodes)
	case failing > sound:
		return ExtentShared, nil
	default:
		return ExtentPods, sorted(names)
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names) // a Pod and the one that follows it may have the same name for a while
	return names[:min(len(names), MaxNames)]
}

// group counts the Pods of one node or zone that can tell.
type group struct{ failing, sound int }

// grouping is the Pods that can tell, by the name of their node or zone.
type grouping map[string]group

func (g grouping) add(name string, fails bool) {
	each := g[name]
	if fails {
		each.failing++
	} else {
		each.sound++
	}
	g[name] = each
}

// atFault returns the names of the groups that the fault is of, or none where it is not one
// of groups. It is one of groups where all of this holds:
//
//   - Every Pod that fails is of a group whose name is known.
//   - In each of these groups nearly all Pods fail: at least four of five.
//   - They have, on average, at least two Pods that fail: one Pod alone cannot tell its own
//     fault from its node's.
//   - They are at most half of all groups, and in one of the others a Pod is sound.
func (g grouping) atFault() []string {
	var names []string
	var failing, others int
	soundElsewhere := false
	for name, each := range g {
		switch {
		case each.failing == 0:
			if name != "" {
				others++
				soundElsewhere = true // what can tell and does not fail is sound
			}
			continue
		case name == "", each.failing*5 < (each.failing+each.sound)*4:
			return nil
		}
		failing += each.failing
		names = append(names, name)
	}
	if !soundElsewhere || len(names) > others || failing < 2*len(names) {
		return nil
	}
	return names
}

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
