package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
	"example.com/steno/cmd/steno/daemon"
)

const deployed = "../../deploy/"

func readDeployed(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(deployed + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// variables are the assignments of an environment file.
func variables(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// composition is what counts of a compose file.
type composition struct {
	Services map[string]struct {
		Environment map[string]string
		EnvFile     string `yaml:"env_file"`
		Volumes     []string
		DependsOn   []string `yaml:"depends_on"`
		Build       struct{ Context, Dockerfile string }
	}
	Volumes map[string]any
}

func readComposition(t *testing.T) (c composition) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readDeployed(t, "cluster/compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompose: what the compose file names is there, and each daemon's settings
// are, once the secrets are filled in.
func TestCompose(t *testing.T) {
	c := readComposition(t)
	daemons := 0
	for name, s := range c.Services {
		for _, other := range s.DependsOn {
			if _, known := c.Services[other]; !known {
				t.Errorf("%s depends on %s, which is not there", name, other)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, known := c.Volumes[from]
			if _, err := os.Stat(filepath.Join(deployed, "cluster", from)); !known && err != nil {
				t.Errorf("%s mounts %s, which is not there", name, from)
			}
		}
		if s.EnvFile == "" {
			continue
		}
		daemons++
		if _, err := os.Stat(filepath.Join(deployed, "cluster", s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s is built by what is not there: %v", name, err)
		}
		vars := variables(readDeployed(t, "cluster/"+s.EnvFile+".example"))
		for i, v := range vars {
			if strings.HasSuffix(v, "=") {
				vars[i] += "filled-in"
			}
		}
		for key, value := range s.Environment {
			vars = append(vars, key+"="+value)
		}
		if settings, err := daemon.ParseSettings(vars); err != nil || !settings.Clustered() {
			t.Errorf("the settings of %s: %v", name, err)
		}
		if unknown := daemon.UnknownVariables(vars); len(unknown) > 0 {
			t.Errorf("%s is given %v, which are no settings", name, unknown)
		}
		if !strings.HasPrefix(s.Environment["STENO_CLUSTER_ADDRESS"], name+":") || s.Environment["STENO_CLUSTER_NAME"] != name {
			t.Errorf("%s has the name and address of another: %v", name, s.Environment)
		}
	}
	if daemons != 3 {
		t.Errorf("there are %d daemons, want 3", daemons)
	}
}

// TestBalancer: HAProxy's file names the daemons of the compose file, and asks
// each at its admin address whether it is ready.
func TestBalancer(t *testing.T) {
	c, conf := readComposition(t), readDeployed(t, "cluster/haproxy.cfg")
	servers := regexp.MustCompile(`(?m)^\s+server (\S+) (\S+):(\d+)$`).FindAllStringSubmatch(conf, -1)
	for _, s := range servers {
		of := c.Services[s[2]].Environment
		if s[1] != s[2] || of["STENO_LISTEN"] != ":"+s[3] || !strings.Contains(conf, "port "+strings.TrimPrefix(of["STENO_ADMIN_LISTEN"], ":")+" check") {
			t.Errorf("the balancer's %s is not the daemon's address: %v", s[0], of)
		}
	}
	if len(servers) != 3 || !strings.Contains(conf, "option httpchk GET /readyz") {
		t.Errorf("the balancer has %d servers, or does not ask whether they are ready", len(servers))
	}
}

// natsOptions parses nats.conf as the server of that name would.
func natsOptions(t *testing.T, name string, env map[string]string) *server.Options {
	t.Helper()
	for key, value := range env {
		if strings.HasPrefix(value, "${") { // compose's default
			value = strings.TrimSuffix(value[strings.Index(value, ":-")+2:], "}")
		}
		t.Setenv(key, value)
	}
	o, err := server.ProcessConfigFile(deployed + "cluster/nats.conf")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return o
}

// TestNATSConfiguration: each server of the compose file keeps everything safe
// and knows the others; so does one that systemd starts.
func TestNATSConfiguration(t *testing.T) {
	c := readComposition(t)
	for name, s := range c.Services {
		if !strings.HasPrefix(name, "nats-") {
			continue
		}
		o := natsOptions(t, name, s.Environment)
		if o.ServerName != name || !o.JetStream || !o.SyncAlways || o.Cluster.Name == "" || o.Port != 4222 {
			t.Errorf("%s: name %q, JetStream %v, sync always %v, cluster %q, port %d", name, o.ServerName, o.JetStream, o.SyncAlways, o.Cluster.Name, o.Port)
		}
		if !slices.ContainsFunc(s.Volumes, func(v string) bool { return v == name+":"+o.StoreDir }) {
			t.Errorf("%s keeps its store in %s, which is on no volume of its own: %v", name, o.StoreDir, s.Volumes)
		}
		var routes []string
		for _, r := range o.Routes {
			routes = append(routes, r.Hostname())
			if _, known := c.Services[r.Hostname()]; !known {
				t.Errorf("%s has a route to %s, which is not there", name, r.Hostname())
			}
		}
		if len(slices.Compact(routes)) != 3 {
			t.Errorf("%s has routes to %v", name, routes)
		}
	}
	env := map[string]string{}
	for _, v := range variables(readDeployed(t, "systemd/nats.env.example")) {
		key, value, _ := strings.Cut(v, "=")
		env[key] = value
	}
	if o := natsOptions(t, "systemd's", env); o.StoreDir != "/var/lib/nats" || o.ServerName != env["NAME"] {
		t.Errorf("systemd's server %s keeps its store in %s", o.ServerName, o.StoreDir)
	}
}

// TestServersMustSyncAlways runs nats.conf: its users can do what the daemons
// need; and servers that are slower to sync are refused.
func TestServersMustSyncAlways(t *testing.T) {
	run := func(always bool) (steno, sys string) {
		o := natsOptions(t, "", map[string]string{"NAME": "n", "STORE": t.TempDir(), "PASSWORD": "p", "SYSTEM_PASSWORD": "s"})
		o.Host, o.Port, o.HTTPPort, o.Cluster, o.Routes = "127.0.0.1", server.RANDOM_PORT, 0, server.ClusterOpts{}, nil
		o.SyncAlways, o.SyncInterval, o.NoSigs, o.NoLog = always, 2*time.Minute, true, true
		s := spooltest.Serve(t, o)
		return fmt.Sprintf("nats://steno:p@%s", s.Addr()), fmt.Sprintf("nats://sys:s@%s", s.Addr())
	}
	start := func(steno, sys string) error {
		settings, err := daemon.ParseSettings([]string{
			"STENO_SF_LOGIN_URL=https://acme.my.salesforce.com", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
			"STENO_CLUSTER_LISTEN=127.0.0.1:1", "STENO_CLUSTER_KEY=key", "STENO_CLUSTER_REPLICAS=1", "STENO_SPOOL_URL=" + steno, "STENO_CLUSTER_SYSTEM_URL=" + sys,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, enough := context.WithTimeout(t.Context(), 5*time.Second)
		defer enough()
		d, err := daemon.New(ctx, settings, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return d.Close()
	}
	steno, sys := run(true)
	if err := start(steno, sys); err != nil {
		t.Errorf("with nats.conf as it is: %v", err)
	}
	if err := durable.CheckServers(t.Context(), sys, 3); err == nil || !strings.Contains(err.Error(), "3 replicas need as many") {
		t.Errorf("one server for three replicas: %v", err)
	}
	steno, sys = run(false)
	if err := start(steno, sys); err == nil || !strings.Contains(err.Error(), "server n syncs every 2m0s: sync_interval must be always") {
		t.Errorf("a server that syncs every two minutes: %v", err)
	}
}

// deployedUnits are systemd's files.
func deployedUnits(t *testing.T) []string {
	t.Helper()
	units, err := fs.Glob(os.DirFS(deployed), "systemd/*.service")
	if err != nil || len(units) != 2 {
		t.Fatalf("%v, %v", units, err)
	}
	return units
}

// TestUnits: what systemd starts is a command that there is, and stays up.
func TestUnits(t *testing.T) {
	for _, path := range deployedUnits(t) {
		has := map[string]string{} // the last value, by section and key
		var environ []string
		section := ""
		for _, line := range variables(readDeployed(t, path)) {
			if strings.HasPrefix(line, "[") {
				section = strings.Trim(line, "[]") + "."
				continue
			}
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" {
				t.Errorf("%s: %q is no line of a unit", path, line)
			}
			has[section+key] = value
			if key == "Environment" {
				environ = append(environ, value)
			}
		}
		for _, key := range []string{"Unit.Description", "Service.ExecStart", "Service.EnvironmentFile", "Service.StateDirectory", "Service.LimitNOFILE", "Install.WantedBy"} {
			if has[key] == "" {
				t.Errorf("%s has no %s", path, key)
			}
		}
		if has["Service.Restart"] != "always" {
			t.Errorf("%s is not restarted", path)
		}
		for _, v := range environ {
			if dir, set := strings.CutPrefix(v, "STENO_SPOOL_DIR="); set && dir != "/var/lib/"+has["Service.StateDirectory"] {
				t.Errorf("%s has its spool in %s, which is not its own", path, dir)
			}
		}
		if stop, err := time.ParseDuration(has["Service.TimeoutStopSec"] + "s"); err != nil || stop <= 20*time.Second {
			t.Errorf("%s is killed after %v, which a drain may take", path, stop)
		}
	}
}

// TestUnitsAsSystemdReadsThem: systemd itself finds no fault with them. What they
// start is not installed here, so it is another program.
func TestUnitsAsSystemdReadsThem(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skipf("needs systemd: %v", err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=\S+`)
	for _, path := range deployedUnits(t) {
		unit := start.ReplaceAllString(readDeployed(t, path), "ExecStart=/bin/true")
		copied := filepath.Join(t.TempDir(), filepath.Base(path))
		if err := os.WriteFile(copied, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("systemd-analyze", "verify", copied).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

// TestRuntimeIsTold: what README says of Go's own variable is what is deployed.
func TestRuntimeIsTold(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	said := slices.Compact(regexp.MustCompile(`GODEBUG=[a-z]+=\d+`).FindAllString(string(readme), -1))
	if len(said) != 1 {
		t.Fatalf("README says %q, want one value", said)
	}
	for path, line := range map[string]string{"Dockerfile": "ENV " + said[0], "systemd/steno.service": "Environment=" + said[0]} {
		if !slices.Contains(variables(readDeployed(t, path)), line) {
			t.Errorf("%s has no line %q, which README promises", path, line)
		}
	}
}
