package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
	"example.com/steno/cmd/steno/cluster"
	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// fellows are daemons of one cluster in this process, on a real JetStream of
// this process too.
type fellows struct {
	t       *testing.T
	traffic traffic
	vars    []string
	daemons []*Daemon
	leave   []context.CancelFunc
	done    []chan error
}

func newFellows(t *testing.T, org *orgsim.Org, n int, vars ...string) *fellows {
	f := &fellows{t: t}
	salesforce := httptest.NewServer(f.traffic.of(org))
	t.Cleanup(salesforce.Close)
	servers := spooltest.Servers(t, 1)
	f.vars = append([]string{
		"STENO_SF_LOGIN_URL=" + salesforce.URL, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
		"STENO_LISTEN=127.0.0.1:0", "STENO_ADMIN_LISTEN=127.0.0.1:0", "STENO_SPOOL_URL=" + spooltest.URLs(servers),
		"STENO_CLUSTER_KEY=between-us", "STENO_CLUSTER_REPLICAS=1", "STENO_CLUSTER_PARTITIONS=4",
	}, vars...)
	for range n {
		f.add()
	}
	t.Cleanup(func() {
		for i := range f.daemons {
			f.stop(i)
		}
	})
	return f
}

// traffic counts the transcript requests on their way to an org.
type traffic struct {
	mu        sync.Mutex // guards what follows
	now, most int        // in flight
	ever      int
}

func (c *traffic) of(org http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "Messages") {
			c.count(1)
			defer c.count(-1)
		}
		org.ServeHTTP(w, r)
	})
}

func (c *traffic) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += n
	c.most = max(c.most, c.now)
	c.ever += max(0, n)
}

func (c *traffic) sums() (most, ever int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most, c.ever
}

// add starts one more.
func (f *fellows) add() {
	f.t.Helper()
	inner := unusedAddress(f.t)
	s, err := ParseSettings(append(f.vars, "STENO_CLUSTER_LISTEN="+inner, fmt.Sprintf("STENO_CLUSTER_NAME=d%d", len(f.daemons)+1)))
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := New(f.t.Context(), s, slog.New(slog.DiscardHandler))
	if err != nil {
		f.t.Fatal(err)
	}
	if err := d.Listen(); err != nil {
		f.t.Fatal(err)
	}
	ctx, leave := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	f.daemons, f.leave, f.done = append(f.daemons, d), append(f.leave, leave), append(f.done, done)
}

// stop ends one as SIGTERM does.
func (f *fellows) stop(i int) {
	f.t.Helper()
	if f.daemons[i] == nil {
		return
	}
	f.leave[i]()
	if err := <-f.done[i]; err != nil {
		f.t.Errorf("daemon %d ended with %v", i+1, err)
	}
	f.daemons[i] = nil
}

// await polls: what it waits for happens in other daemons' own time.
func (f *fellows) await(what string, ready func() bool) {
	f.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-patience.C:
			f.t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

// owned is how many partitions each works on.
func (f *fellows) owned() (each []int) {
	for _, d := range f.daemons {
		if d != nil {
			each = append(each, len(d.pipelines.all()))
		}
	}
	return each
}

func unusedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// people speak in many calls through the doors of some daemons.
type people struct {
	t       *testing.T
	clients []*client.Client
	running sync.WaitGroup
	said    map[string][]string
	streams []*client.Stream
}

func (f *fellows) people(calls int) *people {
	p := &people{t: f.t, said: map[string][]string{}}
	for _, d := range f.daemons {
		doors, _ := d.Addresses()
		c, err := client.New(client.Config{URL: "ws://" + doors + "/v1/ingest", BackoffMin: 10 * time.Millisecond})
		if err != nil {
			f.t.Fatal(err)
		}
		p.clients = append(p.clients, c)
		p.running.Go(func() { _ = c.Run(f.t.Context()) })
	}
	for i := range calls {
		call := fmt.Sprint("call-", i)
		s, err := p.clients[i%len(p.clients)].Open(client.Open{Stream: call, VendorCallKey: call})
		if err != nil {
			f.t.Fatal(err)
		}
		p.streams = append(p.streams, s)
	}
	return p
}

// say says one thing in each call.
func (p *people) say() {
	p.t.Helper()
	for i, s := range p.streams {
		call, now := fmt.Sprint("call-", i), time.Now().UnixMilli()
		id := fmt.Sprint(call, "/", len(p.said[call]))
		if _, err := s.Send(p.t.Context(), client.Utterance{MessageID: id, SenderType: "END_USER", StartTime: now, EndTime: now, Content: "words"}); err != nil {
			p.t.Fatal(err)
		}
		p.said[call] = append(p.said[call], id)
	}
}

// finish returns when all that was said is acknowledged.
func (p *people) finish() {
	p.t.Helper()
	for _, c := range p.clients {
		if err := c.Close(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
	p.running.Wait()
}

// TestClusterIsOneToSalesforce: however many daemons there are, no more requests
// are in flight than one may have, and while the org is down one of them looks
// whether it is up again.
func TestClusterIsOneToSalesforce(t *testing.T) {
	org := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond}})
	f := newFellows(t, org, 2, "STENO_SF_MAX_IN_FLIGHT=6", "STENO_BATCH_MAX_WAIT=20ms")
	f.await("the partitions are divided", func() bool { owned := f.owned(); return owned[0] == 2 && owned[1] == 2 })
	p := f.people(100)
	for range 5 {
		p.say()
	}
	f.await("all of it is delivered", func() bool { return org.Ledger().Stored == 500 })
	if most, _ := f.traffic.sums(); most != 6 {
		t.Errorf("%d requests were in flight at once, want the six that one daemon may have", most)
	}

	org.Down(orgsim.Unavailable)
	p.say()
	f.await("the outage is met", func() bool { return f.troubles() == 4 })
	_, before := f.traffic.sums()
	const outage = 10 * time.Second
	<-time.After(outage)
	// One that waits half a second, one, two, four … makes five tries in that time; four that do would make twenty.
	if _, now := f.traffic.sums(); now-before > 8 || now == before {
		t.Errorf("%d requests were made in %v of an outage, want as few as one daemon makes", now-before, outage)
	}
	org.Up()
	p.finish()
	f.await("all of it is delivered", func() bool { return org.Ledger().Stored >= 600 })
	f.stop(0)
	f.stop(1)
	if cmp := org.Ledger().Compare(p.said); cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Duplicated != 0 {
		t.Errorf("%+v", cmp)
	}
}

// TestClusterRevivesAPartition: somebody who does not have a partition took its
// stream all the same. Its owner is the owner still.
func TestClusterRevivesAPartition(t *testing.T) {
	org := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	f := newFellows(t, org, 1, "STENO_CLUSTER_PARTITIONS=1", "STENO_BATCH_MAX_WAIT=20ms")
	f.await("the partition is open", func() bool { return f.owned()[0] == 1 })
	p := f.people(3)
	p.say()
	f.await("it works", func() bool { return org.Ledger().Stored == 3 })
	m := f.daemons[0].membership
	stranger, err := durable.Open(t.Context(), durable.Config{Name: cluster.Token("") + "-0", Conn: m.conn, Replicas: 1, Lease: func() error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Close(); err != nil {
		t.Fatal(err)
	}
	p.say()
	p.finish()
	f.await("it works again", func() bool { return org.Ledger().Compare(p.said).Lost == 0 })
	if got := m.opened.Get(); got != 2 {
		t.Errorf("the partition was opened %d times, want 2", got)
	}
	f.stop(0)
	// What was settled a moment ago is not written down yet, and may be repeated.
	if cmp := org.Ledger().Compare(p.said); cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Unexpected != 0 || cmp.Duplicated > int(m.recovered.Get()) {
		t.Errorf("%+v, and %d counted", cmp, m.recovered.Get())
	}
}

// TestClusterReload: an org's new settings are in force in its partitions, and R1
// holds for a number of partitions that is not the cluster's.
func TestClusterReload(t *testing.T) {
	org := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice})
	path := filepath.Join(t.TempDir(), "orgs.yaml")
	write := func(partitions int, maxWait string) {
		t.Helper()
		text := fmt.Sprintf("orgs: [{name: acme, partitions: %d, batch: {max_wait: %s}}]", partitions, maxWait)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(2, "20ms")
	f := newFellows(t, org, 1, "STENO_ORGS_FILE="+path)
	d := f.daemons[0]
	f.await("the partitions are open", func() bool { return f.owned()[0] == 2 })
	p := f.people(10)
	p.say()

	write(2, "30ms")
	d.Reload()
	f.await("the new settings are in force", func() bool {
		all := d.pipelines.all()
		return len(all) == 2 && all[0].settings.BatchMaxWait == 30*time.Millisecond && all[1].settings.BatchMaxWait == 30*time.Millisecond
	})
	p.say()

	f.await("the reload is over", func() bool { return d.reloads.applied.Get() == 1 })
	write(4, "40ms")
	d.Reload()
	f.await("the file is refused", func() bool { return d.reloads.faulty.Get() == 1 })
	if now, _ := d.roster.named("acme"); now.ClusterPartitions != 2 || now.BatchMaxWait != 30*time.Millisecond || d.membership.opened.Get() != 4 {
		t.Errorf("after a faulty reload: %d partitions, wait %v, opened %d times", now.ClusterPartitions, now.BatchMaxWait, d.membership.opened.Get())
	}
	p.say()
	p.finish()
	f.await("all of it is delivered", func() bool { return org.Ledger().Stored >= 30 })
	f.stop(0)
	if cmp := org.Ledger().Compare(p.said); !cmp.Clean() {
		t.Errorf("%+v", cmp)
	}
}

// troubles is how many partitions' gates are shut.
func (f *fellows) troubles() (n int) {
	for _, d := range f.daemons {
		for _, w := range d.pipelines.all() {
			if w.batcher.Trouble() != 0 {
				n++
			}
		}
	}
	return n
}

// TestClusterMovesWithoutRepeating: daemons come and go in good order while
// people speak, and nothing is stored twice.
func TestClusterMovesWithoutRepeating(t *testing.T) {
	org := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond}})
	f := newFellows(t, org, 1, "STENO_BATCH_MAX_WAIT=20ms")
	p := f.people(40)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.say()
			case <-stop:
				return
			}
		}
	}()
	f.add()
	f.await("the second has its half", func() bool { owned := f.owned(); return owned[0] == 2 && owned[1] == 2 })
	f.add()
	f.await("the third has its part", func() bool { owned := f.owned(); return owned[2] == 1 })
	f.stop(1)
	f.await("the others have its part", func() bool { owned := f.owned(); return owned[0] == 2 && owned[1] == 2 })
	close(stop)
	<-stopped
	p.finish()
	said := 0
	for _, ids := range p.said {
		said += len(ids)
	}
	f.await("all of it is delivered", func() bool { return org.Ledger().Stored >= uint64(said) })
	for i, d := range f.daemons {
		if d != nil && d.membership.recovered.Get() > 0 {
			t.Errorf("daemon %d counts %d utterances as perhaps repeated, and all was handed over", i+1, d.membership.recovered.Get())
		}
	}
	f.stop(0)
	f.stop(2)
	if cmp := org.Ledger().Compare(p.said); cmp.Lost != 0 || cmp.OutOfOrder != 0 || cmp.Duplicated != 0 {
		t.Errorf("%+v", cmp)
	}
}
