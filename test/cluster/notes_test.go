//go:build e2e

package cluster_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/reims/reims-health/test/poll"
)

// notes runs each command that helm prints after the install, as printed: with the name of a
// Pod for POD, and the program and the kubeconfig of these tests.
func (i *installation) notes() {
	i.t.Helper()
	out, err := i.execute("get", "notes", i.name, "--namespace", i.namespace, "--kubeconfig", env.kubeconfig)
	if err != nil {
		i.t.Fatalf("%v\n%s", err, out)
	}
	pod := strings.Fields(i.kubectl("get", "pods", "--output", "jsonpath={.items[*].metadata.name}"))[0]
	ran := 0
	for _, m := range regexp.MustCompile(`(?m)^ {5}((?:kubectl|helm) .*)$`).FindAllStringSubmatch(out, -1) {
		command := strings.ReplaceAll(m[1], " POD ", " "+pod+" ")
		if strings.Contains(command, "…") { // its rest is the reader's
			continue
		}
		ran++
		if strings.Contains(command, " port-forward ") {
			i.forwards(command)
			continue
		}
		shown, err := i.shell(i.t.Context(), command).CombinedOutput()
		if err != nil {
			i.t.Errorf("the notes say %s: %v\n%s", command, err, shown)
		}
	}
	i.kubectl("delete", "configmap", i.name+"-break-glass", "--ignore-not-found") // what the notes make
	i.runbook(pod)
	steps.says(i.t, "commands of the notes that were run", strconv.Itoa(ran))
	if ran < 3 {
		i.t.Errorf("%d commands in the notes:\n%s", ran, out)
	}
}

// runbook runs what every page of docs/alerts says of how to find a Pod and ask it.
func (i *installation) runbook(pod string) {
	i.t.Helper()
	page, err := os.ReadFile("../../docs/alerts/ReimsHealthNotReady.md")
	if err != nil {
		i.t.Fatal(err)
	}
	_, find, _ := strings.Cut(string(page), "\n## Find the Pod\n")
	find, _, _ = strings.Cut(find, "\n## ")
	commands := regexp.MustCompile(`(?m)^kubectl .*$`).FindAllString(find, -1)
	for _, command := range commands {
		command = strings.NewReplacer("NAMESPACE", i.namespace, "POD", pod).Replace(command)
		shown, err := i.shell(i.t.Context(), command).CombinedOutput()
		if err != nil || !strings.Contains(string(shown), pod) && !strings.Contains(string(shown), "database") {
			i.t.Errorf("the runbooks say %s: %v\n%s", command, err, shown)
		}
	}
	if len(commands) != 3 {
		i.t.Errorf("%d commands in the runbook", len(commands))
	}
}

// shell is a command of the notes.
func (i *installation) shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", `kubectl() { command "$KUBECTL" "$@"; }; helm() { command "$HELM" "$@"; }; `+command)
	cmd.Env = append(os.Environ(), "KUBECTL="+env.kubectl, "HELM="+i.helm, "KUBECONFIG="+env.kubeconfig)
	return cmd
}

// forwards holds that the page is at localhost while kubectl port-forward runs.
func (i *installation) forwards(command string) {
	i.t.Helper()
	ports := regexp.MustCompile(` (\d+)(?::\d+)?$`).FindStringSubmatch(command)
	if ports == nil {
		i.t.Fatalf("the notes forward no port: %s", command)
	}
	ctx, stop := context.WithCancel(i.t.Context())
	defer stop()
	cmd := i.shell(ctx, "exec "+strings.Replace(command, "kubectl", `"$KUBECTL"`, 1))
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	poll.Until(i.t, "the page behind: "+command, func() bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:"+ports[1]+"/", http.NoBody)
		if err != nil {
			return false
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	stop()
	_ = cmd.Wait() // it was ended
}
