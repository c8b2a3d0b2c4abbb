package servers_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/reims/reims-health/test/poll"
	"github.com/reims/reims-health/test/servers"
)

// starterDir names the folder in which a copy of this test program is to start a
// Redis and an Ollama, and wait to be killed.
const starterDir = "REIMS_TEST_STARTER_DIR"

// A test program that dies of a panic or a timeout runs no cleanup.
func TestServersDieWithTheirStarter(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(starterDir); dir != "" {
		startAndWait(t, dir)
	}
	starter := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheirStarter$")
	dir := t.TempDir()
	starter.Env = append(os.Environ(), starterDir+"="+dir)
	out, err := starter.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := starter.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	killErr := starter.Process.Kill()
	_ = starter.Wait() // it was killed
	if err != nil || killErr != nil {
		t.Fatal(err, killErr)
	}
	var started []servers.Instance
	if err := json.Unmarshal(line, &started); err != nil || len(started) != 2 {
		t.Fatalf("%s: %v", line, err)
	}
	for _, i := range started { // none may be left, whatever the test finds
		t.Cleanup(func() { _ = i.Kill() })
	}
	poll.Until(t, "the servers are gone", func() bool { return len(processesOf(t, dir)) == 0 })
}

func startAndWait(t *testing.T, dir string) {
	t.Helper()
	r := servers.RunRedis(t, servers.RedisOptions{Options: servers.Options{Dir: dir + "/redis"}})
	o := servers.RunOllama(t, servers.OllamaOptions{Options: servers.Options{Dir: dir + "/ollama"}})
	if _, err := o.Generate(t.Context(), servers.Model, "start your runner"); err != nil {
		t.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode([]servers.Instance{r.Instance(), o.Instance()}); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done() // killed before
}

// A PID that belongs to another program by now is nobody's business.
func TestInstanceSparesStrangers(t *testing.T) {
	t.Parallel()
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = stranger.Wait() // it is killed at the end
	}()
	i := servers.Instance{Name: "ours", PID: stranger.Process.Pid, Started: 1, StopSignal: syscall.SIGTERM}
	if i.Running() {
		t.Error("a stranger is taken for ours")
	}
	if err := i.Stop(); err != nil {
		t.Error(err)
	}
	if err := i.Kill(); err != nil {
		t.Error(err)
	}
	if err := i.Freeze(); err == nil {
		t.Error("a stranger was frozen")
	}
	select {
	case <-ended:
		t.Error("a stranger was ended")
	default:
	}
	if err := stranger.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
}
