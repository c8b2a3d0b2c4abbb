package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// The timing of the election, the same as in Kubernetes' own controllers. After a leader is killed,
// another one follows within the lease's duration and one retry period.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// LeaseName is the name of the Lease that the leader holds.
const LeaseName = "reims-health-fleet"

// election runs a function in one of several replicas. The manager's own election ends the process
// if the API server is away for ten seconds. This one only stops the function and then takes part
// again, since the sidecars must be asked meanwhile.
type election struct {
	lock *resourcelock.LeaseLock
	run  func(context.Context)
}

func newElection(config *rest.Config, namespace, identity string, run func(context.Context)) (*election, error) {
	config = rest.AddUserAgent(config, "leader-election")
	config.Timeout = renewDeadline / 2
	client, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the Lease %s/%s: %w", namespace, LeaseName, err)
	}
	return &election{run: run, lock: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: LeaseName},
		Client:     client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}}, nil
}

// Start takes part in the election until ctx ends.
func (e *election) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		led := make(chan context.Context, 1)
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: e.lock, Name: LeaseName, ReleaseOnCancel: true,
			LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{
				// The elector does not wait for this function. It passes on the context, which
				// ends with the lease, so that Start can wait for run.
				OnStartedLeading: func(ctx context.Context) { led <- ctx },
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			return fmt.Errorf("take part in the election: %w", err)
		}
		over := make(chan struct{})
		var running sync.WaitGroup
		running.Go(func() {
			select {
			case ctx := <-led:
				e.run(ctx)
			case <-over:
			}
		})
		elector.Run(ctx)
		close(over)
		running.Wait()
	}
	return nil
}

// NeedLeaderElection returns false: the election runs in every replica.
func (*election) NeedLeaderElection() bool { return false }
