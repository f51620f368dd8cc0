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
	Silent  float64 `json:"silent"` // seconds since its last heartbeat
	Dead    bool    `json:"dead"`
	Leaving bool    `json:"leaving"`
	Ailing  bool    `json:"ailing"` // a partition did not open there: it takes none for a while
	Owns    int     `json:"owns"`   // partitions
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
	s := Status{Member: c.cfg.ID, Fenced: c.fenced() != nil, Agreed: c.view.agreed(c.known)}
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
			ID: id, Address: m.Address, Version: m.Version, Silent: now.Sub(m.changed).Seconds(),
			Dead: c.view.dead(m), Leaving: m.Leaving, Ailing: m.Ailing, Owns: owns[id],
		})
	}
	slices.SortFunc(s.Members, func(a, b MemberStatus) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Number, b.Number))
	})
	return s
}
