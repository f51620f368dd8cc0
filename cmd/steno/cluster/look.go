package cluster

import (
	"maps"
	"slices"
	"time"
)

// look is what one turn goes by: a copy of the view.
type look struct {
	at     uint64 // counts the changes of the view
	known  string // the orgs' fingerprint
	leaver string // us, where we leave
	takes  bool   // we are among peers
	said   bool   // our entry says that we leave
	whole  bool
	peers  []string // who shares what there is; without us where we leave
	agreed bool     // all who live know the same orgs
	orgs   map[string]int
	owners map[Partition]seenOwner
	holder map[Partition]*seenMember // of those that are not free; of them only what never changes
	dead   []seenMember              // of which nothing is left but their entry
}

// look copies the view.
func (c *Cluster) look(leaving bool) *look {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &look{
		at: c.changes, known: c.known, whole: c.view.whole, peers: c.view.peers(c.known), agreed: c.view.agreed(c.known), orgs: c.orgs,
		owners: maps.Clone(c.view.owners), holder: map[Partition]*seenMember{},
	}
	healthy := slices.ContainsFunc(l.peers, func(id string) bool { return id != c.cfg.ID && !c.view.members[id].Ailing })
	ailing := c.session != nil && time.Now().Before(c.session.ailing)
	if leaving || ailing && healthy { // though our entry may not say so yet
		l.peers = slices.DeleteFunc(l.peers, func(id string) bool { return id == c.cfg.ID })
	}
	if leaving {
		l.leaver = c.cfg.ID
	}
	me := c.view.members[c.cfg.ID]
	l.said = me != nil && me.Leaving
	l.takes = slices.Contains(l.peers, c.cfg.ID)
	for p := range l.owners {
		if m := c.view.holder(p); m != nil {
			l.holder[p] = m
		}
	}
	l.dead = c.view.remains()
	return l
}

// plan is that of the peers. What one who lives and is no peer holds stays
// there, unless it leaves.
func (l *look) plan() map[Partition]string {
	owners, fixed := map[Partition]string{}, map[Partition]string{}
	for p, o := range l.owners {
		holder := l.holder[p]
		_, peer := slices.BinarySearch(l.peers, o.Member)
		switch {
		case o.unknown, holder != nil && !peer && !holder.Leaving && holder.ID != l.leaver:
			fixed[p] = o.Member
		case o.Member != "":
			owners[p] = o.Member
		default:
			owners[p] = o.Next
		}
	}
	plan := Plan(l.peers, owners, l.orgs)
	for p, member := range fixed {
		if p.Number < l.orgs[p.Org] {
			plan[p] = member
		}
	}
	return plan
}

// isFree says that whoever it is planned for may claim a partition: nobody is
// it, or the session says that it is its own.
func (l *look) isFree(p Partition, session string) bool {
	o := l.owners[p]
	return !o.unknown && (l.holder[p] == nil || o.Session == session)
}

// isAnothers says that another session has taken a partition.
func (l *look) isAnothers(p Partition, session string) bool {
	o := l.owners[p]
	return o.unknown || o.Member != "" && o.Session != session && l.holder[p] != nil
}

// successor is the member that would have a partition without us; empty: none.
func (c *Cluster) successor(p Partition) string { return c.look(true).plan()[p] }
