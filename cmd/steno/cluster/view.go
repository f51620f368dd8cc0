package cluster

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	beatEvery   = 500 * time.Millisecond
	fencedAfter = 2 * time.Second // of no confirmed heartbeat: a member stops by itself
	deadAfter   = 3 * time.Second // of an unchanged heartbeat: others take what it had. Later than that
	deafAfter   = 1500 * time.Millisecond
)

// member is what others go by of a member's entry. A newer version may write
// more, which this one passes over.
type member struct {
	ID      string `json:"id"`
	Address string `json:"address"`           // of its internal listener
	Version string `json:"version"`           // of its program
	Session string `json:"session"`           // another one whenever it has joined anew
	Leaving bool   `json:"leaving,omitempty"` // it hands over what it has and takes nothing
	Ailing  bool   `json:"ailing,omitempty"`  // a partition did not open there: it keeps what it has and takes nothing
	Orgs    string `json:"orgs"`              // a fingerprint of the orgs that it knows
}

// heartbeat is a member's entry as it is written: what others go by, and what
// only people look at. The latter is read by itself, so that another version's
// costs nobody a member.
type heartbeat struct {
	member
	Load Load `json:"load,omitzero"`
}

// tenancy is a partition's entry. Without a member it is free.
type tenancy struct {
	Member  string    `json:"member,omitempty"`
	Session string    `json:"session,omitempty"` // of the member
	Next    string    `json:"next,omitempty"`    // the member that it was left to
	Since   time.Time `json:"since"`
	Moves   uint64    `json:"moves"`           // how often another member has taken it
	Doubt   bool      `json:"doubt,omitempty"` // whoever worked on it last has not handed it over, and nobody since
}

// size is an org's entry.
type size struct {
	Partitions int `json:"partitions"`
}

// view is what a member knows of the cluster. It is plain data: no lock, no
// clock, no I/O.
//
//	V1  of each key the entry of the highest revision counts
//	V2  a member is silent since its revision last changed, by our own clock.
//	    Our own heartbeat is in the same order as all others: its echo proves
//	    that what was written before it is known, so silence is counted up to the
//	    last echo and no further
//	V3  after a silence of our own all silences begin anew: who could not hear
//	    declares nobody dead
//	V4  a member that was silent for deadAfter is dead
//	V5  a partition is its entry's member's while that member is not dead and has
//	    the session of the entry; else it is free
//	V6  what this version cannot read is nobody's to take
type view struct {
	me      string // our id
	members map[string]*seenMember
	owners  map[Partition]seenOwner
	orgs    map[string]int
	echoed  time.Time // when our own heartbeat last came back
	whole   bool      // everything that was there at the beginning is in
}

type seenMember struct {
	member
	load     Load
	revision uint64
	changed  time.Time // V2
	unknown  bool      // V6: what it has stays its own while it lives, whatever its session
}

type seenOwner struct {
	tenancy
	revision uint64
	unknown  bool // V6
}

func newView(me string) *view {
	return &view{me: me, members: map[string]*seenMember{}, owners: map[Partition]seenOwner{}, orgs: map[string]int{}}
}

// apply takes in an entry. It says whether more has changed than a heart has
// beaten.
func (v *view) apply(now time.Time, e entry) (changed bool) {
	switch {
	case e.key == "":
		v.whole = true
		return true
	case strings.HasPrefix(e.key, memberPrefix):
		return v.applyMember(now, e)
	case strings.HasPrefix(e.key, orgPrefix):
		return v.applyOrg(e)
	}
	p, ok := parseOwnerKey(e.key)
	if !ok || e.revision <= v.owners[p].revision { // V1
		return false
	}
	o := seenOwner{revision: e.revision}
	if !e.deleted {
		o.unknown = json.Unmarshal(e.value, &o.tenancy) != nil
	}
	v.owners[p] = o
	return true
}

func (v *view) applyMember(now time.Time, e entry) (changed bool) {
	id, err := untoken(strings.TrimPrefix(e.key, memberPrefix))
	if err != nil {
		return false
	}
	old := v.members[id]
	if old != nil && e.revision <= old.revision {
		return false
	}
	if e.deleted {
		delete(v.members, id)
		return old != nil
	}
	next := &seenMember{revision: e.revision, changed: now}
	if err := json.Unmarshal(e.value, &next.member); err != nil || next.ID != id { // V6: it lives
		next.member, next.unknown = member{ID: id}, true
	}
	var load struct{ Load Load }
	if json.Unmarshal(e.value, &load) == nil {
		next.load = load.Load
	}
	v.members[id] = next
	if id == v.me {
		v.echo(now)
	}
	return old == nil || old.member != next.member || v.dead(old)
}

// echo takes in that our own heartbeat has come back.
func (v *view) echo(now time.Time) {
	if now.Sub(v.echoed) > deafAfter { // V3
		for _, m := range v.members {
			m.changed = now
		}
	}
	v.echoed = now
}

func (v *view) applyOrg(e entry) (changed bool) {
	org, err := untoken(strings.TrimPrefix(e.key, orgPrefix))
	var s size
	if err != nil || !e.deleted && json.Unmarshal(e.value, &s) != nil {
		return false
	}
	changed = v.orgs[org] != s.Partitions
	v.orgs[org] = s.Partitions
	return changed
}

// dead is V4.
func (v *view) dead(m *seenMember) bool {
	return m.ID != v.me && v.echoed.Sub(m.changed) >= deadAfter
}

// remains are the dead who are said to own nothing any more.
func (v *view) remains() (dead []seenMember) {
	for _, m := range v.members {
		if v.dead(m) {
			dead = append(dead, *m)
		}
	}
	return slices.DeleteFunc(dead, func(m seenMember) bool {
		for _, o := range v.owners {
			if o.Member == m.ID {
				return true
			}
		}
		return false
	})
}

// holder is the member that a partition is (V5); nil: it is free, or unreadable.
func (v *view) holder(p Partition) *seenMember {
	o := v.owners[p]
	m := v.members[o.Member]
	if o.Member == "" || m == nil || m.Session != o.Session && !m.unknown || v.dead(m) {
		return nil
	}
	return m
}

// peers are those who plan as we do: they live, do not leave, and know the
// same orgs. Those who are ailing are among them only if all are. Sorted.
func (v *view) peers(orgs string) (ids []string) {
	var ailing []string
	for id, m := range v.members {
		switch {
		case v.dead(m) || m.Leaving || m.Orgs != orgs:
		case m.Ailing:
			ailing = append(ailing, id)
		default:
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		ids = ailing
	}
	slices.Sort(ids)
	return ids
}

// agreed says whether all who live know the same orgs.
func (v *view) agreed(orgs string) bool {
	for m := range maps.Values(v.members) {
		if !v.dead(m) && !m.Leaving && m.Orgs != orgs {
			return false
		}
	}
	return true
}

// renewed is an empty view, for a watch that begins anew.
func (v *view) renewed() *view {
	next := newView(v.me)
	next.echoed = v.echoed
	return next
}

// inherit takes over the silences of members that have not spoken since, unless
// we were deaf ourselves (V3).
func (v *view) inherit(old *view) {
	if v.echoed.Sub(old.echoed) > deafAfter {
		return
	}
	for id, m := range v.members {
		if was := old.members[id]; was != nil && was.revision == m.revision {
			m.changed = was.changed
		}
	}
}
