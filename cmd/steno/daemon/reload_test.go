package daemon

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// chatter is an org's engine that speaks every second.
type chatter struct {
	*town
	h    *home
	stop func()
}

// chat lets an org speak until stop. Its connection is noted by the daemon's
// log, and by the number that there are.
func (v *town) chat(name string) *chatter {
	h := v.homes[name]
	c, hangUp := v.engine(name + "-1")
	s := v.speak(c, "call")
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			v.say(h, s, "call")
			select {
			case <-time.After(time.Second):
			case <-done:
				if err := s.Close(v.t.Context(), "end"); err != nil { // all of it is acknowledged
					v.t.Errorf("close: %v", err)
				}
				return
			}
		}
	}()
	return &chatter{v, h, func() { close(done); <-ended; v.settle(h); hangUp() }}
}

// whole checks that the org has everything that was said for it, once.
func (v *town) whole(h *home) {
	v.t.Helper()
	if cmp := h.org.Ledger().Compare(h.want); !cmp.Clean() || cmp.Wanted == 0 {
		v.t.Errorf("org %s: %+v, want all of it, once and in order", h.name, cmp)
	}
}

// A reload leaves an untouched org's connection as it is, starts a changed org
// anew with nothing lost, adds a new one, and drains one that is gone.
func TestReload(t *testing.T) {
	inTown(t, alike(usual, "still", "changed", "gone"), func(v *town) {
		chats := map[string]*chatter{}
		for _, name := range []string{"still", "changed", "gone"} {
			chats[name] = v.chat(name)
		}
		time.Sleep(10 * time.Second)
		still, changed := v.daemon.pipelineOf("still").pipeline, v.daemon.pipelineOf("changed").pipeline
		gone := v.daemon.pipelineOf("gone").pipeline
		connections := connectionsEver(v, "still")
		chats["gone"].stop()
		v.build("new", usual)
		v.write("new", v.line("changed", "batch: {max_wait: 50ms}"), "still")
		v.reload(30 * time.Second)
		chats["new"] = v.chat("new")
		time.Sleep(10 * time.Second)

		if got := v.daemon.pipelineOf("still").pipeline; got != still || connectionsEver(v, "still") != connections {
			v.t.Errorf("the untouched org was touched: %s connections, before %s", connectionsEver(v, "still"), connections)
		}
		if got := v.daemon.pipelineOf("changed").pipeline; got == changed || got.settings.BatchMaxWait != 50*time.Millisecond {
			v.t.Errorf("the changed org waits %v, want 50ms", got.settings.BatchMaxWait)
		}
		if v.daemon.pipelineOf("gone") != nil || gone.spool.Append(v.t.Context(), nil) == nil {
			v.t.Error("the org that is gone is there, or its spool is open")
		}
		for _, name := range []string{"still", "changed", "new"} {
			chats[name].stop()
			v.whole(v.homes[name])
		}
		v.whole(v.homes["gone"])
		if _, body := v.get("/readyz"); body != `{"ready":true}`+"\n" {
			v.t.Errorf("/readyz = %s", body)
		}
		var names []string
		for _, w := range v.daemon.working() {
			names = append(names, w.settings.SFOrg)
		}
		if fmt.Sprint(names) != "[new changed still]" || !v.daemon.roster.all()[0].Default {
			v.t.Errorf("the orgs are %v, want the file's order and its first as the default", names)
		}
		v.counts("1", "0")
	})
}

// connectionsEver says how often the org's clients have been let in.
func connectionsEver(v *town, name string) string {
	return fmt.Sprint(strings.Count(v.log.String(), `"msg":"ingest drains","org":"`+name+`"`), " drains, ", v.status(name).Connections, " connections")
}

// counts checks the counters of reloads.
func (v *town) counts(applied, faulty string) {
	v.t.Helper()
	_, scrape := v.get("/metrics")
	a, f := metric(scrape, `steno_orgs_reloads_total{outcome="applied"}`), metric(scrape, `steno_orgs_reloads_total{outcome="faulty"}`)
	if a != applied || f != faulty {
		v.t.Errorf("reloads: %s applied, %s faulty, want %s and %s", a, f, applied, faulty)
	}
}

// R1: a faulty file changes nothing, and all its faults are told.
func TestFaultyReloadChangesNothing(t *testing.T) {
	inTown(t, alike(usual, "a", "b"), func(v *town) {
		chat := v.chat("a")
		time.Sleep(5 * time.Second)
		a, b := v.daemon.pipelineOf("a"), v.daemon.pipelineOf("b")
		v.write(v.line("a", "timeout: soon"), strings.Replace(v.line("b"), "hush-b", "''", 1), v.line("b"))
		v.reload(30 * time.Second)
		if v.daemon.pipelineOf("a") != a || v.daemon.pipelineOf("b") != b {
			v.t.Error("a faulty file has changed something")
		}
		for _, want := range []string{`timeout is \"soon\"`, "client_secret is empty", `name is that of org \"b\"`, "nothing is changed"} {
			if !strings.Contains(strings.ReplaceAll(v.log.String(), `\\\"`, `\"`), want) {
				v.t.Errorf("the log does not tell: %s", want)
			}
		}
		v.counts("0", "1")
		chat.stop()
		v.whole(v.homes["a"])
	})
}

// R3: an org that is removed while Salesforce takes nothing is cut after the
// drain's time, keeps what waits in its spool, and sends it when it is back. The
// others do not wait for it.
func TestRemovedOrgKeepsWhatWaits(t *testing.T) {
	inTown(t, alike(usual, "a", "b"), func(v *town) {
		time.Sleep(time.Second)
		v.homes["b"].org.Down(orgsim.Silent)
		c, hangUp := v.engine("b-1")
		s := v.speak(c, "call")
		for range 5 {
			v.say(v.homes["b"], s, "call")
		}
		time.Sleep(time.Second)
		hangUp()
		v.build("c", usual)
		v.write("a", "c")
		v.reload(5 * time.Second)
		if v.daemon.pipelineOf("c") == nil {
			v.t.Error("the new org waits for the drain of the one that goes")
		}
		time.Sleep(10 * time.Second)
		if v.daemon.pipelineOf("b") != nil || !strings.Contains(v.log.String(), `"left_in_its_spool":5`) {
			v.t.Error("the org is not gone after the drain's time, or nobody says how much waits")
		}
		v.homes["b"].org.Up()
		v.write("a", "b", "c")
		v.reload(30 * time.Second)
		v.settle(v.homes["b"])
		v.whole(v.homes["b"])
	})
}

// An org that cannot be started, or whose pipeline fails, keeps nothing of the
// others, is shown, and is tried again with the next reload.
func TestFailedOrg(t *testing.T) {
	inTown(t, alike(usual, "a", "b"), func(v *town) {
		outfit := v.daemon.outfit
		v.daemon.outfit = func(cfg *pipelineConfig) {
			outfit(cfg)
			if cfg.settings.SFOrg == "b" {
				cfg.settings.SFLoginURL = "http://elsewhere.example" // no secret goes there
			}
		}
		v.write("a", v.line("b", "timeout: 3s"))
		v.reload(time.Minute)
		status, body := v.get("/readyz")
		if status != 200 || !strings.Contains(body, `"org":"b","code":"failed"`) {
			v.t.Errorf("/readyz = %d %s, want b failed", status, body)
		}
		_, scrape := v.get("/metrics")
		if got := metric(scrape, "steno_orgs_failed"); got != "1" {
			v.t.Errorf("%s orgs failed, want 1", got)
		}
		v.daemon.outfit = outfit
		v.reload(time.Minute)
		chat := v.chat("b")
		time.Sleep(5 * time.Second)
		chat.stop()
		v.whole(v.homes["b"])

		w := v.daemon.pipelineOf("b")
		w.spool.(*survivor).kill()
		time.Sleep(time.Minute)
		if _, body := v.get("/readyz"); !strings.Contains(body, `"code":"failed"`) || !strings.Contains(body, `"ready":true`) {
			v.t.Errorf("/readyz = %s, want why b has ended", body)
		}
		chat = v.chat("a")
		time.Sleep(5 * time.Second)
		chat.stop()
		v.whole(v.homes["a"])
		v.reload(time.Minute)
		if _, body := v.get("/readyz"); body != `{"ready":true}`+"\n" {
			v.t.Errorf("/readyz = %s after a reload", body)
		}
	})
}
