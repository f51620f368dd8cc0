package monitor_test

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"example.com/steno/batcher/spool/spooltest"
)

// newMember is a rig whose daemon is a member of a cluster with one partition.
func newMember(t *testing.T, name, spoolURL string) *rig {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner.Close()
	r := newRig(t, quick, "STENO_SF_ORG=acme", "STENO_SPOOL_URL="+spoolURL, "STENO_CLUSTER_LISTEN="+inner.Addr().String(), "STENO_CLUSTER_KEY=key",
		"STENO_CLUSTER_NAME="+name, "STENO_CLUSTER_REPLICAS=1", "STENO_CLUSTER_PARTITIONS=1")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-tick.C {
		if resp, err := http.Get(r.page() + "readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK && strings.Contains(r.get("/status.json"), `"owner":"one"`) {
				return r
			}
		}
	}
	t.Fatalf("member %s is not ready: %s", name, r.get("/readyz"))
	return nil
}

// The page of each daemon shows all of them; that of one that works on no calls
// shows nothing else, until it does.
func TestPageShowsTheCluster(t *testing.T) {
	b := newBrowser(t)
	servers := spooltest.URLs(spooltest.Servers(t, 1))
	owner := newMember(t, "one", servers)
	idle := newMember(t, "two", servers)
	owner.say(owner.open(owner.engine, "a"), "hello", 300*time.Millisecond)

	line := func(n string) string {
		return "[...document.querySelectorAll('#members tr:nth-child(" + n + ") > *')].map((c) => c.textContent).join('|').replaceAll('\\u202f', '')"
	}
	b.look(owner.page())
	b.until("document.querySelectorAll('#members tr').length === 2 && " + line("1") + ".startsWith('one (this one)|acme/0|1|')")
	b.until("window.stenoShown.account.delivered === 1 && /\\|\\d+\\.\\d+ s\\|0\\|–\\|.* s\\|well$/.test(" + line("1") + ")")
	if got := b.text(line("2") + " + document.getElementById('daemons').textContent + document.getElementById('unowned').hidden"); !strings.HasPrefix(got, "two|nothing|0|0.0/s|–|0|–|") || !strings.HasSuffix(got, "|well2true") {
		t.Errorf("the other's line is %s", got)
	}
	b.fits(t)

	b.look(idle.page())
	b.until("document.getElementById('headline').textContent === 'This daemon works on no calls' && document.querySelectorAll('#members tr').length === 2")
	if got := b.text("document.getElementById('call-list').offsetParent === null && document.getElementById('flow').offsetParent === null"); got != "true" {
		t.Error("the page of a daemon without calls shows the place for them")
	}
	b.fits(t)

	owner.stop()
	b.until("window.stenoShown.idle === undefined && document.getElementById('flow').offsetParent !== null && " + line("1") + ".startsWith('two (this one)|acme/0|')")
	b.until("document.querySelectorAll('#members tr').length === 1")

	// What goes wrong is said where one looks.
	shown := "(((c) => { c.members.push({id: '<b>three', state: 'dead', silent: 9, load: {p95: 3}}); c.partitions.push({org: 'acme', number: 1, owner: ''}); Cluster.draw(c) })(structuredClone(window.stenoShown.cluster)), " + line("2") + " + document.getElementById('unowned').textContent + document.querySelectorAll('#members .bad').length)"
	if got := b.text(shown); got != "<b>three|nothing|0|0.0/s|3.00 s|0|–|9.00 s|deadNo daemon works on acme/1: engines get no acknowledgements there.3" {
		t.Errorf("trouble is shown as %s", got)
	}
	fenced := "(((s) => { s.cluster.fenced = true; s.idle = true; show(s) })(structuredClone(window.stenoShown)), document.getElementById('headline').textContent)"
	if got := b.text(fenced); got != "This daemon is cut off from its cluster" {
		t.Errorf("the headline of a fenced one is %q", got)
	}
}

// fits looks at the page on a phone and on a wall.
func (b browser) fits(t *testing.T) {
	t.Helper()
	for _, l := range looks {
		b.do(chromedp.EmulateViewport(l.width, l.height), scheme(l.scheme))
		if got := b.text("document.documentElement.scrollWidth - innerWidth"); got != "0" {
			t.Errorf("%s: the page is %s px wider than the screen", l.name, got)
		}
		b.axe()
	}
}
