package durable

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher/spool"
)

// Stats is what an operator wants to know beside the account.
type Stats struct {
	Bytes    uint64 // of the frames on disk, those settled and kept included
	MaxBytes uint64 // the limit of Bytes
	Frames   uint64 // on disk
	Segments uint64 // that they lie in
	Notes    uint64 // of settlements, on disk

	Recovered uint64 // utterances found pending at the opening: some of them may have been sent before
	Live      int    // unread records in memory
	Backlog   int    // unread records on disk
	Owed      int    // records read and not settled

	StoreWarnings uint64 // that JetStream has logged
	StoreErrors   uint64
	Restarts      uint64 // of the embedded server, after write errors

	DeadLetters spool.Kept // as last measured

	Damage []Damage // what the disk has lost, for as long as its surroundings are kept
	Lost   uint64   // acknowledged utterances known to be lost since the opening
	TooOld bool     // the oldest has waited for longer than Config.MaxAge
}

// Damage is a place where the disk does not hold what was acknowledged.
type Damage struct {
	First, Last spool.Position // zero: unknown
	Seq         uint64         // of the frame in its stream; zero: unknown
	Lost        uint64         // utterances; zero: unknown
	What        string
}

func (d Damage) String() string {
	switch {
	case d.First == 0 && d.Seq == 0:
		return d.What
	case d.First == 0:
		return fmt.Sprintf("frame %d: %s", d.Seq, d.What)
	case d.First == d.Last:
		return fmt.Sprintf("position %d: %s", d.First, d.What)
	}
	return fmt.Sprintf("positions %d to %d: %s", d.First, d.Last, d.What)
}

// maxDamage bounds the list; the counts and the log go on.
const maxDamage = 100

// harm raises the alarm about lost or unreadable records. The caller holds mu,
// or is alone.
func (s *Spool) harm(d Damage) {
	s.cfg.Log.Error("the spool is damaged", "first", d.First, "last", d.Last, "frame", d.Seq, "lost", d.Lost, "detail", d.What)
	s.stats.Lost += d.Lost
	if len(s.damage) < maxDamage {
		s.damage = append(s.damage, d)
	}
}

// Stats returns the figures of this moment. Bytes and Frames are a few seconds
// old where something was trimmed since.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.MaxBytes = uint64(s.cfg.MaxBytes)
	st.DeadLetters = s.letters
	st.Live, st.Backlog, st.Owed = s.ledger.live.len(), s.ledger.waiting, s.ledger.owed.len()
	st.Damage = append([]Damage(nil), s.damage...)
	if s.in != nil {
		st.StoreWarnings, st.StoreErrors = s.in.log.warnings.Load(), s.in.log.errors.Load()
	}
	oldest := s.ledger.oldest()
	st.TooOld = s.cfg.MaxAge > 0 && !oldest.IsZero() && time.Since(oldest) > s.cfg.MaxAge
	return st
}

// meter holds the histograms. A nil set has none.
type meter struct {
	sync       *metrics.PrometheusHistogram
	utterances *metrics.PrometheusHistogram
	bytes      *metrics.PrometheusHistogram
}

func newMeter(set *metrics.Set) meter {
	if set == nil {
		set = metrics.NewSet()
	}
	return meter{
		sync:       set.NewPrometheusHistogramExt("steno_spool_sync_seconds", []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 30}),
		utterances: set.NewPrometheusHistogramExt("steno_spool_frame_utterances", []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}),
		bytes:      set.NewPrometheusHistogramExt("steno_spool_frame_bytes", []float64{500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7}),
	}
}

func (m *meter) frame(f *frame, took time.Duration) {
	m.sync.Update(took.Seconds())
	m.utterances.Update(float64(len(f.records)))
	m.bytes.Update(float64(len(f.data)))
}
