package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/reims/reims-health/pkg/health"
	"github.com/reims/reims-health/pkg/readfile"
)

const (
	// format is the version of the file's content. A file with another version is ignored.
	format = 1
	// maxSize bounds the file in bytes, far above the size for the largest number of services.
	maxSize = 16 << 10
)

// document is the content of the file.
type document struct {
	Format   int              `json:"format"`
	Pod      string           `json:"pod"`
	Services map[string]entry `json:"services"`
}

// entry is the state of one service. Definition is the digest of its settings.
type entry struct {
	Definition   string    `json:"definition"`
	Proven       bool      `json:"proven"`
	FailingSince time.Time `json:"failing_since,omitzero"`
	Held         bool      `json:"held,omitempty"`
}

var errDamaged = errors.New("damaged: this program did not write it")

// decode reads a document of this format. Its errors do not repeat the content.
func decode(content []byte) (document, error) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(content, &head); err != nil {
		return document{}, errDamaged
	}
	if head.Format != format {
		return document{}, fmt.Errorf("it has format %d, and this program reads format %d", head.Format, format)
	}
	var d document
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return document{}, errDamaged
	}
	return d, nil
}

// encode returns the document for a view.
func encode(pod string, definitions map[string]string, v *health.View) ([]byte, error) {
	d := document{Format: format, Pod: pod, Services: make(map[string]entry)}
	ready := v.Readiness()
	for _, r := range v.Results() {
		e := entry{
			Definition: definitions[r.Service.Name], Proven: r.Proven,
			FailingSince: r.FailingSince().UTC().Round(0), Held: ready.Held(r.Service.Name),
		}
		if e.Proven || !e.FailingSince.IsZero() {
			d.Services[r.Service.Name] = e
		}
	}
	return json.Marshal(d)
}

// restored returns the entries of the services whose definition is still the same.
func (d document) restored(definitions map[string]string) map[string]health.Restored {
	known := make(map[string]health.Restored)
	for name, e := range d.Services {
		if e.Definition != "" && e.Definition == definitions[name] {
			known[name] = health.Restored{Proven: e.Proven, FailingSince: e.FailingSince, Held: e.Held}
		}
	}
	return known
}

// readFile returns the content of the file. It refuses links, which could lead out of the folder.
func readFile(path string) ([]byte, error) {
	content, err := readfile.RegularNoFollow(path, maxSize)
	if refused := new(readfile.Error); errors.As(err, &refused) {
		return nil, errors.New("it " + refused.Problem) // the log names the file
	}
	return content, err
}

// writeFile replaces the file atomically: a reader sees either the old content or the new one. The
// temporary file always has the same name, so that a process that is
// killed repeatedly leaves only one file.
func writeFile(path string, content []byte) error {
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}
