package observe

import (
	"fmt"
	"io/fs"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/reims/reims-health/config/prometheus"
)

// scrapeEvery is the scrape interval in config/prometheus/prometheus.yml.
const scrapeEvery = 15

// lookback is how old a point may be for Prometheus to go by it, in seconds.
const lookback = 300

// prometheusConfig is the sample configuration, faster, with another Alertmanager.
func prometheusConfig(factor int, alertmanager string) ([]byte, error) {
	text, err := prometheus.FS.ReadFile("prometheus.yml")
	if err != nil {
		return nil, err
	}
	const sample = "127.0.0.1:9093"
	if strings.Count(string(text), sample) != 1 {
		return nil, fmt.Errorf("prometheus.yml: want %s once", sample)
	}
	return Scale([]byte(strings.Replace(string(text), sample, alertmanager, 1)), factor)
}

// ruleFiles are all rules, faster, by their paths.
func ruleFiles(factor int) (map[string][]byte, error) {
	paths, err := fs.Glob(prometheus.FS, "rules/*.yaml")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, path := range paths {
		text, err := prometheus.FS.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if files[path], err = Scale(text, factor); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return files, nil
}

// target is an entry of targets.yaml.
type target struct {
	Targets []string          `yaml:"targets"`
	Labels  map[string]string `yaml:"labels"`
}

// alertmanagerConfig is the sample configuration, faster, whose receivers are ours.
func alertmanagerConfig(factor int, r *Receiver) ([]byte, error) {
	text, err := prometheus.FS.ReadFile("alertmanager.yml")
	if err != nil {
		return nil, err
	}
	if text, err = Scale(text, factor); err != nil {
		return nil, fmt.Errorf("alertmanager.yml: %w", err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("alertmanager.yml: %w", err)
	}
	receivers, _ := config["receivers"].([]any)
	for _, item := range receivers {
		receiver, _ := item.(map[string]any)
		url := r.URL(fmt.Sprint(receiver["name"]))
		receiver["webhook_configs"] = []map[string]any{{"url": url, "send_resolved": true}}
	}
	return yaml.Marshal(config)
}
