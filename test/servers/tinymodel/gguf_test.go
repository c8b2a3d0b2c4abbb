package tinymodel_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/reims/reims-health/test/servers/tinymodel"
)

// That Ollama loads the file and gives the answer is tested beside Ollama.
func TestGGUF(t *testing.T) {
	t.Parallel()
	gguf := tinymodel.GGUF("all", "good")
	if !bytes.HasPrefix(gguf, []byte("GGUF\x03\x00\x00\x00")) || len(gguf)%32 != 0 {
		t.Errorf("%d bytes that start with %q", len(gguf), gguf[:8])
	}
	if !bytes.Equal(gguf, tinymodel.GGUF("all", "good")) {
		t.Error("two files for the same words differ")
	}
	for _, word := range []string{"\u2581all", "\u2581good"} {
		if !bytes.Contains(gguf, []byte(word)) {
			t.Errorf("no token %q", word)
		}
	}
}

func TestGGUFCutsLongAnswers(t *testing.T) {
	t.Parallel()
	words := strings.Fields(strings.Repeat("word ", 31))
	if !bytes.Equal(tinymodel.GGUF(words...), tinymodel.GGUF(append(words, "more")...)) {
		t.Error("the 32nd word is in the file")
	}
}
