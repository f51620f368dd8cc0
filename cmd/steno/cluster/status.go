package cluster

import (
	"cmp"
	"slices"
	"time"
)

// Status is the cluster as one member sees it.
type Status struct {
	Member     string            `json:"member"`     // who sees it
	Fenced     bool              `json:"fenced"`     // it may do nothing at the moment
	Agreed     bool              `json:"agreed"`     // all members know the same orgs; else nothing is handed over
	Lag        float64           `json:"lag"`        // seconds since its own heartbeat last came back: so old may be what it sees
	Members    []MemberStatus    `json:"members"`    // by id
	Partitions []PartitionStatus `json:"partitions"` // of the orgs that it knows, by org and number
}

// MemberStatus is a member.
type MemberStatus struct {
	ID      string  `json:"id"`
	Address string  `json:"address"`
	Version string  `json:"version"`
	State   string  `json:"state"`
	Silent  float64 `json:"silent"` // seconds since its last heartbeat
	Owns    int     `json:"owns"`   // partitions
	Load    Load    `json:"load"`   // as its last heartbeat told it
}

// The states of a member.
const (
	Well    = "well"
	Ailing  = "ailing"  // a partition did not open there: it keeps what it has and takes nothing
	Leaving = "leaving" // it hands over what it has
	Fenced  = "fenced"  // it may do nothing; only a member itself knows that
	Dead    = "dead"    // its heartbeat has stopped: others take what it had
)

// Load is what a member has to do, summed up over its partitions: a few numbers
// that go out with each heartbeat, for people to look at. Nothing is decided by
// them.
type Load struct {
	Calls     int     `json:"calls,omitempty"`     // with a stream that is open or may come back
	Pending   uint64  `json:"pending,omitempty"`   // utterances accepted and not settled
	Oldest    float64 `json:"oldest,omitempty"`    // of them, in seconds
	Delivered float64 `json:"delivered,omitempty"` // utterances a second
	P95       float64 `json:"p95,omitempty"`       // seconds from the end of speech to the console, of the partition where it is worst
}

// PartitionStatus is a partition.
type PartitionStatus struct {
	Org    string    `json:"org"`
	Number int       `json:"number"`
	Owner  string    `json:"owner"` // empty: nobody at the moment
	Since  time.Time `json:"since"` // when that was so
	Moves  uint64    `json:"moves"` // how often another member has taken it
}

// Status is what this member knows at this moment.
func (c *Cluster) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	s := Status{
		Member: c.cfg.ID, Fenced: c.fenced() != nil, Agreed: c.view.agreed(c.known), Members: []MemberStatus{}, Partitions: []PartitionStatus{},
	}
	if !c.view.echoed.IsZero() {
		s.Lag = now.Sub(c.view.echoed).Seconds()
	}
	owns := map[string]int{}
	for org, n := range c.orgs {
		for number := range n {
			p := Partition{org, number}
			o := c.view.owners[p]
			one := PartitionStatus{Org: org, Number: number, Since: o.Since, Moves: o.Moves}
			if m := c.view.holder(p); m != nil {
				one.Owner = m.ID
				owns[m.ID]++
			}
			s.Partitions = append(s.Partitions, one)
		}
	}
	for id, m := range c.view.members {
		s.Members = append(s.Members, MemberStatus{
			ID: id, Address: m.Address, Version: m.Version, State: c.stateOf(m), Silent: now.Sub(m.changed).Seconds(), Owns: owns[id], Load: m.load,
		})
	}
	slices.SortFunc(s.Members, func(a, b MemberStatus) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Number, b.Number))
	})
	return s
}

// stateOf is a member's state. The caller holds mu.
func (c *Cluster) stateOf(m *seenMember) string {
	switch {
	case m.ID == c.cfg.ID && c.fenced() != nil:
		return Fenced
	case c.view.dead(m):
		return Dead
	case m.Leaving:
		return Leaving
	case m.Ailing:
		return Ailing
	}
	return Well
}

// Living counts the members whose heartbeat has not stopped.
func (s *Status) Living() (n int) {
	for _, m := range s.Members {
		if m.State != Dead {
			n++
		}
	}
	return n
}

// Unowned counts the partitions that nobody works on at the moment.
func (s *Status) Unowned() (n int) {
	for _, p := range s.Partitions {
		if p.Owner == "" {
			n++
		}
	}
	return n
}

// SetLoad has the next heartbeats tell it.
func (c *Cluster) SetLoad(l Load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load = l
}
