package fleet_test

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reims/reims-health/pkg/fleet"
	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/test/farm"
)

// faulty makes a share of the Pods, in thousandths, not answer: a third each refuses the
// connection, never answers, and answers after 1.5 s.
func faulty(share int, rest farm.Behaviour) func(netip.AddrPort) farm.Behaviour {
	slow := rest
	slow.Delay = 1500 * time.Millisecond
	return func(a netip.AddrPort) farm.Behaviour {
		i := farm.Number(a)
		if i*7919%1000 >= share {
			return rest
		}
		return []farm.Behaviour{{Refused: true}, {Silent: true}, slow}[i%3]
	}
}

// TestSharedOutageIsSeen breaks a server for all Pods of a fleet that is asked as rarely as one
// of 10,000 Pods, each Pod every 20 s: within the time in which more than half are asked, and a
// round, the summary says that it is shared. Pods that do not answer delay nothing.
func TestSharedOutageIsSeen(t *testing.T) {
	t.Parallel()
	for _, share := range []int{0, 10, 300} {
		t.Run(fmt.Sprintf("%.0f %% missing or slow", float64(share)/10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const pods = 1000
				f := farm.New(faulty(share, healthy))
				c, _ := collect(t, f, fleet.Options{RequestsPerSecond: pods / 20})
				c.Set(target(farm.Pods(pods, 20, 3)))
				after(90 * time.Second)
				if s := c.Summary(shop); s.Status != health.Healthy || s.Answering < pods*(1000-share)/1000 {
					t.Fatalf("before: %s, %d answer", s.Status, s.Answering)
				}
				f.Set(faulty(share, refused))
				broken, asked := time.Now(), f.Requests()
				for c.Summary(shop).Status != health.Unhealthy || database(c.Summary(shop)).Extent != fleet.ExtentShared {
					after(100 * time.Millisecond)
					if time.Since(broken) > time.Minute {
						t.Fatalf("after a minute: %+v", database(c.Summary(shop)))
					}
					if e := database(c.Summary(shop)).Extent; e == fleet.ExtentNode || e == fleet.ExtentZone {
						t.Fatalf("a shared outage is called one of a %s", e)
					}
				}
				took := time.Since(broken)
				t.Logf("shared after %s", took)
				if took > 18*time.Second || f.Requests()-asked > int64(20*pods/20) {
					t.Errorf("it took %s and %d questions", took, f.Requests()-asked)
				}
			})
		})
	}
}

// BenchmarkFleet asks a farm in this process for a while, and reports the cost, which includes
// that of the farm.
func BenchmarkFleet(b *testing.B) {
	for _, c := range []struct {
		pods, share int
		during      time.Duration
	}{{100, 0, 5 * time.Second}, {1000, 0, 10 * time.Second}, {1000, 300, 10 * time.Second}, {10000, 0, 20 * time.Second}, {10000, 10, 20 * time.Second}, {10000, 300, 20 * time.Second}} {
		b.Run(fmt.Sprintf("pods=%d/missing=%.0f%%", c.pods, float64(c.share)/10), func(b *testing.B) {
			for range b.N {
				f := farm.New(faulty(c.share, healthy))
				collector := fleet.NewCollector(fleet.Options{Dial: f.Dial})
				collector.Set(target(farm.Pods(c.pods, 20, 3)))
				ctx, cancel := context.WithTimeout(b.Context(), c.during+time.Duration(c.pods)*time.Second/500)
				before, cpu, began := f.Requests(), cpuTime(b), time.Now()
				if err := collector.Run(ctx); err != nil {
					b.Fatal(err)
				}
				cancel()
				took := time.Since(began)
				var memory runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&memory)
				b.ReportMetric(float64(f.Requests()-before)/took.Seconds(), "questions/s")
				b.ReportMetric(100*(cpuTime(b)-cpu).Seconds()/took.Seconds(), "%core")
				b.ReportMetric(float64(memory.HeapAlloc)/(1<<20), "MiB-heap")
				runtime.KeepAlive(collector)
			}
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkSummarise summarises 10,000 Pods, of which one node fails.
func BenchmarkSummarise(b *testing.B) {
	pods := make([]fleet.PodSummary, 0, 10000)
	for i, p := range farm.Pods(10000, 20, 3) {
		letter := 'H'
		if i < 20 {
			letter = 'F'
		}
		pods = append(pods, drawPod(i, p.Zone, p.Node, letter))
	}
	for b.Loop() {
		if s := summarise(pods); database(s).Extent != fleet.ExtentNode {
			b.Fatal(database(s).Extent)
		}
	}
}
