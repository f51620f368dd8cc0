package load

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// usage is what the process has used.
type usage struct {
	CPU                      time.Duration
	Alone, Idle, After, Peak int // memory: before the connections, with all calls open and silent, at the end, at most; KiB
	Runtime                  map[string]float64
}

// Report is the figures of one load.
type Report struct {
	Shape       Shape  `json:"shape"`
	Connections int    `json:"connections"`
	Org         string `json:"org"` // how the sink answers

	Said      uint64  `json:"said"`
	Seconds   float64 `json:"seconds"` // from the beginning to the last utterance's arrival
	PerSecond float64 `json:"perSecond"`
	Counts
	PerRequest float64 `json:"perRequest"`
	Lost       uint64  `json:"lost"`
	Nacks      uint64  `json:"nacks"`
	Broken     int     `json:"broken"` // connections that ended by themselves

	Added  Latency `json:"added"`     // due → at the sink
	Urgent Latency `json:"urgent"`    // the same, of urgent ones
	Ack    Latency `json:"ack"`       // due → acknowledged
	Late   Latency `json:"generator"` // due → written: how far the generator itself was behind

	CPUSeconds float64            `json:"cpuSeconds"`
	CPUPer100k float64            `json:"cpuPer100k"`
	AloneKiB   int                `json:"aloneKiB"`
	IdleKiB    int                `json:"idleKiB"`
	AfterKiB   int                `json:"afterKiB"`
	PeakKiB    int                `json:"peakKiB"`
	Runtime    map[string]float64 `json:"runtime,omitempty"`

	added   histogram
	seconds timeline
}

func (p *player) report(u usage) *Report {
	r := &Report{Shape: p.cfg.Shape, Connections: len(p.speakers), Org: "elsewhere", Said: p.said, Broken: p.broken, Late: p.late.latency(), Runtime: u.Runtime}
	var acks histogram
	for _, s := range p.speakers {
		s.mu.Lock()
		acks.merge(&s.acks)
		r.Nacks += s.nacks
		s.mu.Unlock()
	}
	r.Ack = acks.latency()
	if sink := p.cfg.Sink; sink != nil {
		r.Org = fmt.Sprintf("%v±%.0f%%", sink.median, sink.spread*100)
		r.take(sink.book)
		r.Lost = p.said - min(r.Delivered, p.said)
	}
	r.CPUSeconds, r.AloneKiB, r.IdleKiB, r.AfterKiB, r.PeakKiB = u.CPU.Seconds(), u.Alone, u.Idle, u.After, u.Peak
	if r.Delivered > 0 {
		r.CPUPer100k = r.CPUSeconds / float64(r.Delivered) * 100_000
	}
	return r
}

// take copies what the sink has seen.
func (r *Report) take(b *book) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.Counts, r.Added, r.Urgent = b.counts, b.added.latency(), b.urgent.latency()
	r.Seconds = b.last.Seconds()
	if b.last > 0 {
		r.PerSecond = float64(r.Delivered) / r.Seconds
	}
	if r.Requests > 0 {
		r.PerRequest = float64(r.Delivered) / float64(r.Requests)
	}
	r.added, r.seconds = b.added, b.seconds
}

// Clean says whether everything came, once, in order, within the limits.
func (r *Report) Clean() bool {
	return r.Lost+r.Nacks+r.Duplicates+r.OrderViolations+r.Overlaps+r.OverLimit == 0 && r.Broken == 0
}

// WriteJSON writes the report as one JSON object on a line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	line("load", "%s, %d calls on %d connections, the org answers in %s", r.Shape.Kind, r.Shape.Calls, r.Connections, r.Org)
	line("said", "%d utterances; %d refused; %d connections broke", r.Said, r.Nacks, r.Broken)
	if r.Requests > 0 {
		line("delivered", "%d in %.1f s: %.0f a second", r.Delivered, r.Seconds, r.PerSecond)
		line("requests", "%d, %.2f utterances each (%d single)", r.Requests, r.PerRequest, r.Singles)
		line("added latency", "%v", r.Added)
	}
	if own := r.own(); own != "" {
		line("by its own clock", "%s", own)
	}
	if r.Urgent.Count > 0 {
		line("of urgent ones", "%v", r.Urgent)
	}
	line("acknowledged after", "%v", r.Ack)
	line("generator behind", "%v", r.Late)
	if r.PeakKiB > 0 {
		line("CPU", "%.2f s, %.2f s a 100,000 utterances", r.CPUSeconds, r.CPUPer100k)
		line("memory", "%.1f MB alone, %.1f MB with idle calls (%.1f KiB a call), %.1f MB at the end, %.1f MB at most",
			float64(r.AloneKiB)/1024, float64(r.IdleKiB)/1024, float64(r.IdleKiB-r.AloneKiB)/float64(r.Shape.Calls), float64(r.AfterKiB)/1024, float64(r.PeakKiB)/1024)
	}
	line("order violations", "%d; %d requests of a call while another was in flight", r.OrderViolations, r.Overlaps)
	line("duplicates", "%d", r.Duplicates)
	line("lost", "%d", r.Lost)
	line("beyond 5 × 5", "%d requests", r.OverLimit)
	return t.Flush()
}

func (l Latency) String() string {
	if l.Count == 0 {
		return "none measured"
	}
	return fmt.Sprintf("p50 %.1f, p99 %.1f, p999 %.1f, max %.1f, mean %.1f ms", l.P50, l.P99, l.P999, l.Max, l.Mean)
}
