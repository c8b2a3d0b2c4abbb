package install

import (
	"strings"
	"testing"
)

func TestPostgres18WithoutNpm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := fetchPostgres(t.Context(), nil, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "apt-get install -y npm") {
		t.Errorf("got %v, want the command that installs npm", err)
	}
}
