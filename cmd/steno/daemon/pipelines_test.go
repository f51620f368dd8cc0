package daemon

import (
	"testing"
	"time"
)

// A pipeline is taken out of a running daemon in the order of its flow: what it
// has acknowledged is in Salesforce, its doors and its spool are closed.
func TestPipelineIsRemovedInOrder(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.say(s, "a", 7)
		time.Sleep(10 * time.Millisecond) // acknowledged, and waiting for company
		if err := r.daemon.pipelines.add("", r.pipeline); err == nil {
			t.Error("a second pipeline of the same name is let in")
		}
		if err := r.daemon.pipelines.remove(""); err != nil {
			t.Errorf("remove: %v", err)
		}
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 7 {
			t.Errorf("arrived: %+v, want 7 and no difference", cmp)
		}
		if err := r.pipeline.spool.Append(t.Context(), nil); err == nil {
			t.Error("the spool of a removed pipeline is open")
		}
		if err := r.daemon.pipelines.remove(""); err == nil {
			t.Error("it is removed twice")
		}
		if err := r.daemon.addOrg(t.Context(), Org{r.daemon.settings, true}); err != nil {
			t.Fatal(err)
		}
		r.say(s, "a", 3) // the engine comes back by itself
		time.Sleep(10 * time.Second)
		if cmp := r.arrived(); !cmp.Clean() || cmp.Wanted != 10 {
			t.Errorf("arrived after it was added again: %+v, want 10 and no difference", cmp)
		}
	})
}

// Whoever may not send sends nothing, keeps everything, and goes on later.
func TestMaySend(t *testing.T) {
	bubble(t, usual, func(t *testing.T, r *rig) {
		c, stop := r.engine()
		defer stop()
		s := r.open(c, "a")
		r.barred.Store(true)
		r.say(s, "a", 4)
		time.Sleep(time.Minute)
		if got := r.arrived().Lost; got != 4 {
			t.Errorf("%d of 4 are not there, want all held back", got)
		}
		r.barred.Store(false)
		time.Sleep(20 * time.Second)
		if cmp := r.arrived(); !cmp.Clean() {
			t.Errorf("arrived: %+v, want everything once", cmp)
		}
		_, scrape := r.get("/metrics")
		if repeats := metric(scrape, "steno_utterances_ambiguous_total"); repeats != "0" {
			t.Errorf("%s ambiguous, want none: nothing had left", repeats)
		}
	})
}
