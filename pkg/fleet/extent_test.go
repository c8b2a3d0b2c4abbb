package fleet_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
)

var epoch = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// draw lays out Pods: one word per node, ZONE/NODE:PODS, one letter per Pod: F its service is
// unhealthy, D degraded, H healthy, ? unknown, - no answer, . not asked, x it has no such service.
func draw(text string) []fleet.PodSummary {
	var pods []fleet.PodSummary
	for word := range strings.FieldsSeq(text) {
		place, letters, _ := strings.Cut(word, ":")
		zone, node, _ := strings.Cut(place, "/")
		for _, letter := range letters {
			pods = append(pods, drawPod(len(pods), zone, node, letter))
		}
	}
	return pods
}

func drawPod(i int, zone, node string, letter rune) fleet.PodSummary {
	name := fmt.Sprintf("p%02d", i)
	p := fleet.PodSummary{Pod: fleet.Pod{UID: name, Name: name, Zone: zone, Node: node}}
	status := map[rune]health.Status{'F': health.Unhealthy, 'D': health.Degraded, 'H': health.Healthy, '?': health.Unknown}
	switch letter {
	case '.':
	case '-':
		p.Answer = fleet.Answer{At: epoch, Failure: fleet.FailureTimeout}
		p.Silent = epoch
	case 'x':
		p.Answer = fleet.Answer{At: epoch, Services: []fleet.ServiceAnswer{{Name: "other", Status: health.Healthy}}}
	default:
		s := fleet.ServiceAnswer{Name: "database", Status: status[letter]}
		if s.Status >= health.Degraded {
			s.Reason = health.ReasonRefused
		}
		p.Answer = fleet.Answer{At: epoch, Services: []fleet.ServiceAnswer{s}}
	}
	return p
}

func summarise(pods []fleet.PodSummary) *fleet.Summary {
	return fleet.Summarise(&fleet.Target{}, pods, nil, epoch)
}

// database returns the summary of the service that draw sets.
func database(s *fleet.Summary) fleet.ServiceSummary {
	for _, each := range s.Services {
		if each.Name == "database" {
			return each
		}
	}
	return fleet.ServiceSummary{}
}

func TestExtent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, pods, want string }{
		{"nothing fails", "a/1:HH a/2:DH b/3:HH", "none"},
		{"nothing is known", "a/1:-- a/2:??", "none"},
		{"all fail", "a/1:FF a/2:FF b/3:FF", "shared"},
		{"the only Pod fails", "a/1:F", "shared"},
		{"the only Pod that answers fails", "a/1:F- b/2:--", "none"},
		{"as many answer as do not", "a/1:FF b/2:--", "shared"},
		{"fewer than half can tell", "a/1:FF a/2:??-", "none"},

		{"1 of 2, each on its node", "a/1:F a/2:H", "pods p00"},
		{"1 of 2, each in its zone", "a/1:F b/2:H", "pods p00"},
		{"1 of 2, on one node", "a/1:FH", "pods p00"},
		{"1 of 3", "a/1:F b/2:H c/3:H", "pods p00"},
		{"2 of 3", "a/1:F b/2:F c/3:H", "shared"},
		{"2 of 4: each that fails sees one that fails and two that pass", "a/1:F a/2:F b/3:H b/4:H", "zone a"},
		{"2 of 4, with no zones", "/1:F /2:F /3:H /4:H", "pods p00 p01"},
		{"3 of 5", "/1:F /2:F /3:F /4:H /5:H", "shared"},
		{"4 of 9", "/1:FFHH /2:FFHHH", "pods p00 p01 p04 p05"},
		{"5 of 9", "/1:FFFHH /2:FFHH", "shared"},

		{"one node", "a/1:FFF a/2:HHH", "node 1"},
		{"one node, in a zone of one", "a/1:FFF b/2:HHH", "node 1"},
		{"one node of three, most of the Pods", "a/1:FFFFF a/2:H a/3:H", "node 1"},
		{"one node, and one Pod elsewhere", "a/1:FFF a/2:FHH a/3:HHHHHH", "pods p00 p01 p02 p03"},
		{"a node with one Pod", "a/1:F a/2:HH a/3:HH", "pods p00"},
		{"two nodes of four", "a/1:FF a/2:FF a/3:HH a/4:HH", "node 1 2"},
		{"two nodes of three", "a/1:FF a/2:FF a/3:HH", "shared"},
		{"one node of one", "a/1:FFFF", "shared"},
		{"one node of one, some passing", "a/1:FFFFH", "shared"},
		{"a node with 4 of 5", "a/1:FFFFH a/2:HHHHH", "node 1"},
		{"a node with 3 of 4", "a/1:FFFH a/2:HHHH", "pods p00 p01 p02"},
		{"a node with 8 of 10", "a/1:FFFFFFFFHH a/2:HHHHHHHHHH", "node 1"},
		{"a node with 7 of 9", "a/1:FFFFFFFHH a/2:HHHHHHHHH", "pods p00 p01 p02 p03 p04 p05 p06"},
		{"a large node and a node with one Pod", "a/1:FFF a/2:F a/3:HHH a/4:H", "node 1 2"},
		{"as many Pods as nodes", "a/1:F a/2:F a/3:HH a/4:HH a/5:H", "pods p00 p01"},
		{"those that do not answer do not count", "a/1:FF- a/2:HH- a/3:--", "node 1"},
		{"nor those that know nothing yet", "a/1:FF?? a/2:HH", "node 1"},
		{"nor those without the service", "a/1:FFxx a/2:HH", "node 1"},
		{"nor those that were not asked", "a/1:FF.. a/2:HH", "node 1"},
		{"the other node tells nothing", "a/1:FF a/2:--", "shared"},
		{"degraded Pods pass", "a/1:FF a/2:DD", "node 1"},
		{"a node that has no name", "a/:FF a/2:HH", "pods p00 p01"},
		{"passing Pods on a node that has no name may be on the same", "a/1:FF a/:HH", "pods p00 p01"},

		{"a zone of two nodes", "a/1:FF a/2:FF b/3:HH b/4:HH", "zone a"},
		{"a zone of two nodes, one Pod each", "a/1:F a/2:F b/3:HH c/4:HH", "zone a"},
		{"two zones of four", "a/1:FF a/2:FF b/3:FF b/4:FF c/5:HH d/6:HH", "zone a b"},
		{"two zones of three", "a/1:FF b/2:FF c/3:HH", "shared"},
		{"two zones with a node each: the nodes say as much", "a/1:FF b/2:FF c/3:HH d/4:HH", "node 1 2"},
		{"the largest zone", "a/1:FFF a/2:FFF b/3:H", "zone a"},
		{"the smallest zone", "a/1:F a/2:F b/3:HHHHHH c/4:HHHHHH", "zone a"},
		{"one node of a zone", "a/1:FF a/2:HH b/3:HH", "node 1"},
		{"zones without names", "/1:FF /2:FF /3:HH /4:HH /5:HH", "node 1 2"},
		{"one zone without a name", "/1:FF /2:FF b/3:HH b/4:HH", "node 1 2"},
		{"nearly all of a zone", "a/1:FFFFF a/2:FFFFH b/3:HHHHH", "zone a"},
		{"nearly all of a zone, spread over its nodes", "a/1:FFFF a/2:FFFH a/3:HF b/4:HHHHHHHHH", "zone a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := database(summarise(draw(c.pods)))
			got := strings.Join(append([]string{string(s.Extent)}, s.Names...), " ")
			if got == "" {
				got = "none"
			}
			if got != c.want {
				t.Errorf("%s: %s, want %s", c.pods, got, c.want)
			}
		})
	}
}

// farms generates Pods in all states.
func farms() *rapid.Generator[[]fleet.PodSummary] {
	return rapid.Custom(func(t *rapid.T) []fleet.PodSummary {
		zones := rapid.IntRange(0, 4).Draw(t, "zones")
		nodes := rapid.IntRange(1, 6).Draw(t, "nodes")
		letters := rapid.SampledFrom([]string{"FH", "FHD", "FFFH", "FHHH", "FHD?-.x", "F-"}).Draw(t, "letters")
		perNode := rapid.Bool().Draw(t, "per node")
		last := map[string]rune{}
		var pods []fleet.PodSummary
		for i := range rapid.IntRange(0, 40).Draw(t, "Pods") {
			n := rapid.IntRange(0, nodes).Draw(t, "node")
			zone, node := "", ""
			if zones > 0 {
				zone = string(rune('a' + n%zones))
			}
			if n > 0 {
				node = strconv.Itoa(n)
			}
			letter := rapid.SampledFrom([]rune(letters)).Draw(t, "letter")
			if perNode && last[node] != 0 {
				letter = last[node]
			}
			last[node] = letter
			pods = append(pods, drawPod(i, zone, node, letter))
		}
		return pods
	})
}

func status(p fleet.PodSummary) health.Status {
	answer, _ := p.Service("database")
	return answer.Status
}

// place returns the Pod's own name, its node or its zone, as the extent needs.
func place(extent fleet.Extent, p fleet.PodSummary) string {
	switch extent {
	case fleet.ExtentNode:
		return p.Node
	case fleet.ExtentZone:
		return p.Zone
	default:
		return p.Name
	}
}

func TestExtentHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pods := farms().Draw(t, "farm")
		whole := summarise(pods)
		s := database(whole)
		failing, passing := s.Pods[health.Unhealthy], s.Pods[health.Healthy]+s.Pods[health.Degraded]
		if (s.Extent == fleet.ExtentNone) != (failing == 0 || s.Status == health.Unknown) {
			t.Fatalf("%d fail, the status is %s: %q", failing, s.Status, s.Extent)
		}
		if (s.Extent == fleet.ExtentNone || s.Extent == fleet.ExtentShared) != (len(s.Names) == 0) || len(s.Names) > fleet.MaxNames || !slices.IsSorted(s.Names) {
			t.Fatalf("%s of %v", s.Extent, s.Names)
		}
		if s.Extent == fleet.ExtentShared && failing <= passing || s.Extent == fleet.ExtentPods && failing > passing {
			t.Fatalf("%s: %d fail, %d pass", s.Extent, failing, passing)
		}
		within := func(p fleet.PodSummary) bool { return slices.Contains(s.Names, place(s.Extent, p)) }
		if local := s.Extent == fleet.ExtentNode || s.Extent == fleet.ExtentZone; local {
			elsewhere := false
			for _, p := range pods {
				elsewhere = elsewhere || status(p) >= health.Healthy && status(p) < health.Unhealthy && !within(p)
				if status(p) == health.Unhealthy && !within(p) {
					t.Fatalf("%s %v, but %s fails too", s.Extent, s.Names, p.Name)
				}
			}
			if !elsewhere {
				t.Fatalf("%s %v, but no Pod is passing elsewhere", s.Extent, s.Names)
			}
		}
		for _, name := range s.Names {
			if !slices.ContainsFunc(pods, func(p fleet.PodSummary) bool { return place(s.Extent, p) == name && status(p) == health.Unhealthy }) {
				t.Fatalf("%s is named, and no Pod of it fails", name)
			}
		}
		// The counts add up.
		total, reasons := 0, 0
		for _, n := range s.Pods {
			total += n
		}
		for _, r := range s.Reasons {
			reasons += r.Pods
		}
		without := 0
		for _, p := range pods {
			if _, has := p.Service("database"); p.Answers() && !has {
				without++
			}
		}
		if len(whole.Services) > 0 && s.Name != "" && (total+without != whole.Known || reasons != failing+s.Pods[health.Degraded]) {
			t.Fatalf("%d Pods and %d without it of %d, %d reasons: %v", total, without, whole.Known, reasons, s)
		}
		unreachable := 0
		for _, n := range whole.Failures {
			unreachable += n
		}
		if whole.Answering+unreachable > whole.Known || whole.Known != len(pods) {
			t.Fatalf("%+v", whole)
		}
	})
}

// The order of the Pods does not matter.
func TestExtentIsOfNoOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pods := farms().Draw(t, "farm")
		other := rapid.Permutation(pods).Draw(t, "permutation")
		one, two := summarise(pods), summarise(other)
		one.Pods, two.Pods = nil, nil
		if diff := cmp.Diff(one, two, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Pods without a result never make the status worse. They change the extent only to none, if they are too many.
func TestUnknownPodsChangeNoExtent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pods := farms().Draw(t, "farm")
		letters := rapid.SliceOfN(rapid.SampledFrom([]rune("-.?x")), 1, 20).Draw(t, "letters")
		more := slices.Clone(pods)
		for i, letter := range letters {
			more = append(more, drawPod(len(pods)+i, rapid.SampledFrom([]string{"", "a", "b", "z"}).Draw(t, "zone"), rapid.SampledFrom([]string{"", "1", "2", "9"}).Draw(t, "node"), letter))
		}
		one, two := database(summarise(pods)), database(summarise(more))
		if two.Status == health.Unknown {
			if two.Extent != fleet.ExtentNone || len(two.Names) > 0 {
				t.Fatalf("unknown, and %s %v", two.Extent, two.Names)
			}
			return
		}
		if one.Extent != two.Extent || !slices.Equal(one.Names, two.Names) {
			t.Fatalf("%s %v became %s %v", one.Extent, one.Names, two.Extent, two.Names)
		}
		if two.Status > one.Status {
			t.Fatalf("%s became %s", one.Status, two.Status)
		}
	})
}
