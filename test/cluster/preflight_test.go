//go:build e2e

package cluster_test

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/reims/reims-health/test/poll"
)

// preflight runs a container of each image, because helm would wait minutes for one
// that is missing, and not tell which.
func preflight(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "reims-e2e-"}}
	if err := kube.Create(ctx, namespace); err != nil {
		return fmt.Errorf("make a namespace: %w", err)
	}
	pod := imagesPod(namespace.Name)
	// A new namespace has no service account for a moment.
	err := tryUntil(ctx, func(ctx context.Context) error { return kube.Create(ctx, pod) })
	if err == nil {
		err = tryUntil(ctx, func(ctx context.Context) error { return imagesMissing(ctx, pod) })
	}
	if err != nil {
		err = fmt.Errorf("run the images: %w\nmake them with test/cluster/images.sh, and load them into the node or push them to where it pulls from", err)
	}
	return errors.Join(err, kube.Delete(ctx, namespace))
}

func imagesPod(namespace string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "images"}}
	pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	pod.Spec.TerminationGracePeriodSeconds = new(int64(0))
	for n, image := range []string{env.image + ":e2e", env.image + ":e2e-next", env.image + ":e2e-failing", env.image + "-fleet:e2e", env.apiImage} {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name: fmt.Sprintf("image-%d", n), Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"version"},
		})
	}
	return pod
}

// imagesMissing tells of each image that no container has started with.
func imagesMissing(ctx context.Context, pod *corev1.Pod) error {
	if err := kube.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
		return err
	}
	var errs []error
	for _, c := range pod.Spec.Containers {
		switch state := container(pod, c.Name).State; {
		case state.Running != nil, state.Terminated != nil:
		case state.Waiting != nil:
			errs = append(errs, fmt.Errorf("%s: %s: %s", c.Image, state.Waiting.Reason, state.Waiting.Message))
		default:
			errs = append(errs, fmt.Errorf("%s: not started", c.Image))
		}
	}
	return errors.Join(errs...)
}

// tryUntil tries until there is no error, and returns the last when that takes too long.
func tryUntil(ctx context.Context, try func(context.Context) error) (last error) {
	poll.Poll(ctx, settle, func() bool {
		last = try(ctx)
		return last == nil
	})
	return last
}
