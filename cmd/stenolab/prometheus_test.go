package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/steno/daemon"
)

const deployed = "../../deploy/"

// TestRules lets promtool check the alerts and run their tests.
func TestRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus): the alerts are not tested")
	}
	for _, args := range [][]string{{"check", "rules", "steno.rules.yml"}, {"test", "rules", "steno.rules_test.yml"}, {"check", "config", "prometheus.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = deployed + "prometheus"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestDashboardsKnowTheMetrics: what alerts and dashboard ask for is there, and
// every alert has a test.
func TestDashboardsKnowTheMetrics(t *testing.T) {
	known := map[string]bool{}
	for _, m := range daemon.AllMetrics() {
		name, _, _ := strings.Cut(m.Name, "{")
		known[name] = true
		if m.Kind == "histogram" {
			known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = true, true, true
		}
	}
	names := regexp.MustCompile(`\bsteno_[a-z_]+`)
	read := func(path string) string {
		b, err := os.ReadFile(deployed + path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	rules, tests, dashboard := read("prometheus/steno.rules.yml"), read("prometheus/steno.rules_test.yml"), read("grafana/steno.json")
	for path, content := range map[string]string{"the rules": rules, "their tests": tests, "the dashboard": dashboard} {
		for _, name := range names.FindAllString(content, -1) {
			if !known[name] {
				t.Errorf("%s ask for %s, which no daemon has", path, name)
			}
		}
	}
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1) {
		if !strings.Contains(tests, `alertname="`+alert[1]+`"`) {
			t.Errorf("alert %s has no test", alert[1])
		}
	}
	if !json.Valid([]byte(dashboard)) {
		t.Error("the dashboard is not JSON")
	}
}

// TestPrometheusScrapesADemo: a real Prometheus with the deployed rules reads a
// daemon that plays calls, evaluates them without an error, and has nothing to
// say against it.
func TestPrometheusScrapesADemo(t *testing.T) {
	prometheus, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("prometheus is not installed (Debian: apt-get install prometheus): no real one scrapes a demo")
	}
	heldDemo(t, func(monitor string) {
		api := scrape(t, prometheus, strings.Trim(strings.TrimPrefix(monitor, "http://"), "/")) + "/api/v1/"
		eventually(t, api+"query?query="+url.QueryEscape("steno:console_latency_seconds:p95 > 0 and on(instance) steno_utterances_delivered_total > 0"), func(body string) bool {
			return strings.Contains(body, `"instance"`)
		})
		rules := eventually(t, api+"rules", func(body string) bool {
			return strings.Contains(body, "StenoSpeechIsLate") && !strings.Contains(body, `"health":"unknown"`)
		})
		if strings.Contains(rules, `"health":"err"`) {
			t.Errorf("a rule cannot be evaluated: %s", rules)
		}
		if strings.Contains(rules, `"state":"firing"`) {
			t.Errorf("an alert fires against a daemon that fares well: %s", rules)
		}
	})
}

// scrape runs a Prometheus that scrapes target as fast as a test wants, and
// returns its URL.
func scrape(t *testing.T, prometheus, target string) string {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile(deployed + "prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(deployed + "prometheus/steno.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	fast := strings.NewReplacer("interval: 5s", "interval: 250ms", "127.0.0.1:8081", target, "steno.rules.yml", rules).Replace(string(config))
	path := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(path, []byte(fast), 0o600); err != nil {
		t.Fatal(err)
	}
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(prometheus, "--config.file="+path, "--storage.tsdb.path="+dir, "--web.listen-address="+address, "--log.level=error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	return "http://" + address
}

// eventually asks until the answer is as wanted, and returns it.
func eventually(t *testing.T, url string, wanted func(body string) bool) string {
	t.Helper()
	body := ""
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); time.Since(begun) < time.Minute; <-tick.C {
		if body = tryGet(url); wanted(body) {
			return body
		}
	}
	t.Fatalf("GET %s: %s", url, body)
	return ""
}

func tryGet(url string) string {
	resp, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}
