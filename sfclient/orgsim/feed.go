package orgsim

// Shown is a message as the agent sees it appear.
type Shown struct {
	Call string `json:"call"` // the vendorCallKey
	Message
	LatencyMS int64  `json:"latencyMs"` // from endTime to storedAt
	Missed    uint64 `json:"missed"`    // events that this watcher was too slow for, just before this one
}

type watcher struct {
	events chan Shown
	missed uint64
}

// Watch returns every message from now on as it is stored, until stop is
// called. The org never waits for a watcher: when room events are not read
// yet, the next ones are missed, and counted in Shown.Missed. The channel is
// never closed.
func (o *Org) Watch(room int) (events <-chan Shown, stop func()) {
	w := &watcher{events: make(chan Shown, max(room, 1))}
	o.mu.Lock()
	o.watchers[w] = struct{}{}
	o.mu.Unlock()
	return w.events, func() {
		o.mu.Lock()
		delete(o.watchers, w)
		o.mu.Unlock()
	}
}

// show tells the watchers. The caller holds the lock.
func (o *Org) show(key string, m Message) {
	for w := range o.watchers {
		select {
		case w.events <- Shown{Call: key, Message: m, LatencyMS: m.StoredAt - m.EndTime, Missed: w.missed}:
			w.missed = 0
		default:
			w.missed++
			o.totals.Unseen++
		}
	}
}
