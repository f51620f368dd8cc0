package daemon

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/sfclient/orgsim"
)

// get asks a daemon's admin listener.
func (f *fellows) get(d *Daemon, path string) (status int, body string) {
	f.t.Helper()
	_, admin := d.Addresses()
	resp, err := http.Get("http://" + admin + path)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestDaemonOfACluster looks at all that a daemon shows which owns a partition,
// and at what one shows that owns none.
func TestDaemonOfACluster(t *testing.T) {
	f := newFellows(t, orgsim.New(orgsim.Config{MakeCalls: true}), 1, "STENO_SF_ORG=acme", "STENO_CLUSTER_PARTITIONS=1")
	f.await("the first owns the partition", func() bool { return f.owned()[0] == 1 })
	f.add()
	owner, idle := f.daemons[0], f.daemons[1]
	f.await("each sees both", func() bool {
		one, two := owner.membership.cluster.Status(), idle.membership.cluster.Status()
		return one.Living() == 2 && two.Living() == 2 && two.Unowned() == 0
	})

	_, scrape := f.get(owner, "/metrics")
	for _, m := range AllMetrics() {
		if name, _, _ := strings.Cut(m.Name, "{"); strings.HasPrefix(name, "steno_cluster_") && !strings.Contains(scrape, "\n"+name+" ") {
			t.Errorf("no %s", name)
		}
	}
	is := func(d *Daemon, series, want string) {
		t.Helper()
		_, scrape := f.get(d, "/metrics")
		if got := metric(scrape, series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
	for d, owned := range map[*Daemon]string{owner: "1", idle: "0"} {
		is(d, "steno_cluster_members", "2")
		is(d, "steno_cluster_partitions_owned", owned)
		is(d, "steno_cluster_partitions_unowned", "0")
		is(d, "steno_cluster_fenced", "0")
		is(d, "steno_cluster_partitions_opened_total", owned)
	}
	is(owner, `steno_utterances_pending{org="acme",partition="0"}`, "0")

	// An engine comes through the door of the one that owns nothing, and what it
	// says is the other's to work on, and is told with its heartbeat.
	doors, _ := idle.Addresses()
	said := `{"senderType":"END_USER","startTime":1795599000000,"endTime":1795599001000,"content":"x"}`
	resp, err := http.Post("http://"+doors+"/v1/calls/c/utterances", "application/json", strings.NewReader(said))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	f.await("the owner tells the other what it delivers", func() bool {
		return idle.membership.cluster.Status().Members[0].Load.Delivered > 0
	})

	f.looksIdle(idle)
}

// looksIdle looks at each page of a daemon that owns nothing.
func (f *fellows) looksIdle(d *Daemon) {
	f.t.Helper()
	var o Overview
	status, body := f.get(d, "/status.json")
	if err := json.Unmarshal([]byte(body), &o); err != nil || status != http.StatusOK || !o.Ready || o.Orgs == nil || len(o.Orgs) != 0 || o.Cluster == nil {
		f.t.Errorf("/status.json = %d %s, %v", status, body, err)
	}
	if m := o.Cluster.Members; len(m) != 2 || m[0].Owns != 1 || m[1].Owns != 0 || m[1].State != cluster.Well {
		f.t.Errorf("members %+v", m)
	}
	shows := func(path string, want int, words string) {
		f.t.Helper()
		if status, body := f.get(d, path); status != want || !strings.Contains(body, words) {
			f.t.Errorf("%s = %d %.300s, want %d %q", path, status, body, want, words)
		}
	}
	shows("/", http.StatusOK, "<title>Steno</title>")
	shows("/readyz", http.StatusOK, `"ready":true`)
	shows("/deadletters", http.StatusOK, "")
	shows("/deadletters/1", http.StatusBadRequest, "works on no org")
	shows("/monitor/calls?q=", http.StatusNotFound, "nothing works")
	shows("/status.json?org=acme/0", http.StatusNotFound, "nothing works")
	var now shown
	event := d.nowEvent(f.t.Context(), "")
	if err := json.Unmarshal(event, &now); err != nil || !now.Idle || now.Failed != "" || now.Cluster == nil {
		f.t.Errorf("the page's event is %s, %v", event, err)
	}
	if hour := d.hourEvent(f.t.Context(), ""); !bytes.Equal(hour, []byte("null")) {
		f.t.Errorf("the page's hour is %s", hour)
	}
}
