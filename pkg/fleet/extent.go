package fleet

import (
	"slices"
	"strconv"
	"strings"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/webpage"
)

// extentOf returns which Pods a service's fault affects. Only Pods that answer and have a result
// count. A Pod fails if the service is unhealthy for it, and passes if the service is healthy or
// degraded. The first rule that fits decides:
//
//  1. No Pod fails: none.
//  2. The failing Pods are those of certain nodes or zones (see [grouping.atFault]): node or
//     zone. If both fit, it is the zone if fewer zones than nodes fail.
//  3. More Pods fail than pass: shared. Most of the failing sidecars report the same, since each
//     of them asks its peers and does not count itself.
//  4. Otherwise: pods.
//
// names are the affected Pods, nodes or zones, sorted, at most [MaxNames]; none if the fault is
// shared.
func extentOf(service string, pods []PodSummary) (extent Extent, names []string) {
	failing, passing := 0, 0
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
			passing++
		}
		nodes.add(p.Node, answer.Status == health.Unhealthy)
		zones.add(p.Zone, answer.Status == health.Unhealthy)
	}
	if failing == 0 {
		return ExtentNone, nil
	}
	faultyNodes, faultyZones := nodes.atFault(), zones.atFault()
	switch {
	case len(faultyZones) > 0 && (len(faultyNodes) == 0 || len(faultyZones) < len(faultyNodes)):
		return ExtentZone, sorted(faultyZones)
	case len(faultyNodes) > 0:
		return ExtentNode, sorted(faultyNodes)
	case failing > passing:
		return ExtentShared, nil
	default:
		return ExtentPods, sorted(names)
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	names = slices.Compact(names) // a Pod and its replacement may have the same name for a while
	return names[:min(len(names), MaxNames)]
}

// group counts the Pods of one node or zone that have a result.
type group struct{ failing, passing int }

// grouping has the counts by the name of the node or zone.
type grouping map[string]group

func (g grouping) add(name string, fails bool) {
	each := g[name]
	if fails {
		each.failing++
	} else {
		each.passing++
	}
	g[name] = each
}

// atFault returns the names of the groups that have the fault, or none if the fault does not follow
// groups. It follows groups if all of these hold:
//
//   - Every failing Pod is in a group whose name is known.
//   - At least four of five Pods of each of these groups fail.
//   - On average, at least two Pods per group fail, since the fault of a single Pod may be its own
//     or its node's.
//   - These groups are at most half of all groups, and a Pod of another group passes.
func (g grouping) atFault() []string {
	var names []string
	var failing, others int
	passingElsewhere := false
	for name, each := range g {
		switch {
		case each.failing == 0:
			if name != "" {
				others++
				passingElsewhere = true // the group has results, and none of them fails
			}
			continue
		case name == "", each.failing*5 < (each.failing+each.passing)*4:
			return nil
		}
		failing += each.failing
		names = append(names, name)
	}
	if !passingElsewhere || len(names) > others || failing < 2*len(names) {
		return nil
	}
	return names
}

// The texts for an extent. Pages, API, status and Events all use these.

// Where returns in a few words where the service is unhealthy, such as shared, zone a, node n1 +2
// or pods; "" if it is unhealthy for no Pod.
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

// Sentence says where the service is unhealthy, and for how many of the Pods that have a result. It
// is "" if the service is unhealthy for no Pod.
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

// count returns a number with its noun, such as 1 Pod or 12 Pods.
func count(n int, noun string) string {
	text := webpage.NumberText(float64(n)) + " " + noun
	if n != 1 {
		text += "s"
	}
	return text
}

// bySeverity has the statuses in the order in which they need attention.
var bySeverity = []health.Status{health.Unhealthy, health.Degraded, health.Unknown, health.Healthy}
