package cluster

import (
	"encoding/json"
	"testing"
	"time"
)

// story tells a view one thing after the other.
type story struct {
	*view
	t        *testing.T
	now      time.Time
	revision uint64
}

func newStory(t *testing.T) *story {
	s := &story{view: newView("me"), t: t, now: time.Unix(1e9, 0)}
	s.beat("me", "s0")
	return s
}

func (s *story) wait(d time.Duration) { s.now = s.now.Add(d) }

func (s *story) write(key, value string) bool {
	s.revision++
	return s.apply(s.now, entry{key: key, value: []byte(value), revision: s.revision})
}

func (s *story) beat(id, session string) bool {
	value, err := json.Marshal(member{ID: id, Session: session, Orgs: "o"})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.write(memberKey(id), string(value))
}

// live passes time in which we, and those named, are heard.
func (s *story) live(d time.Duration, others ...string) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.wait(beatEvery)
		for _, id := range others {
			s.beat(id, "s-"+id)
		}
		s.beat("me", "s0")
	}
}

func (s *story) wantDead(id string, want bool) {
	s.t.Helper()
	if got := s.dead(s.members[id]); got != want {
		s.t.Errorf("dead(%s) is %v, want %v", id, got, want)
	}
}

func TestViewDeath(t *testing.T) {
	s := newStory(t)
	s.beat("a", "s-a")
	s.live(deadAfter - beatEvery)
	s.wantDead("a", false)
	s.live(beatEvery)
	s.wantDead("a", true)
	s.beat("a", "s-a")
	s.wantDead("a", false)
}

// Who is deaf declares nobody dead, then or when it hears again.
func TestViewOfTheDeaf(t *testing.T) {
	s := newStory(t)
	s.beat("a", "s-a")
	s.wait(time.Hour)
	s.wantDead("a", false)
	s.beat("me", "s0")
	s.wantDead("a", false)
	s.live(deadAfter - beatEvery)
	s.wantDead("a", false)
	s.live(beatEvery)
	s.wantDead("a", true)
}

func TestViewReadAgain(t *testing.T) {
	s := newStory(t)
	s.beat("a", "s-a")
	s.live(2 * time.Second)
	again := func() {
		old := s.view
		s.view = old.renewed()
		for id, m := range old.members {
			value, _ := json.Marshal(m.member)
			s.apply(s.now, entry{key: memberKey(id), value: value, revision: m.revision})
		}
		s.inherit(old)
	}
	again()
	s.live(time.Second)
	s.wantDead("a", true) // reading again has not begun its silence anew
	s.beat("a", "s-a")
	s.wait(time.Minute)
	s.beat("me", "s0")
	again()
	s.wantDead("a", false)
}

func TestViewHolder(t *testing.T) {
	s := newStory(t)
	p := Partition{"acme", 0}
	f := func(want string) {
		t.Helper()
		got := ""
		if m := s.holder(p); m != nil {
			got = m.ID
		}
		if got != want {
			t.Errorf("%v is %q's, want %q", p, got, want)
		}
	}
	f("")
	s.write(ownerKey(p), `{"member":"a","session":"s-a","since":"2030-01-01T00:00:00Z","moves":1}`)
	f("") // of whom nothing is known
	s.beat("a", "s-a")
	f("a")
	s.apply(s.now, entry{key: ownerKey(p), value: []byte(`{"member":"me","session":"s0"}`), revision: 2}) // V1
	f("a")
	s.beat("a", "s-a2") // its session is over
	f("")
	s.write(ownerKey(p), `{"member":"a","session":"s-a2","since":"2030-01-01T00:00:00Z","moves":1}`)
	f("a")
	s.live(deadAfter)
	f("")
	s.write(ownerKey(p), `{"next":"me"}`)
	f("")
}

// A newer version may write more, or what this one cannot read.
func TestViewOfNewerVersions(t *testing.T) {
	s := newStory(t)
	s.write(memberKey("a"), `{"id":"a","session":"s","orgs":"o","mood":{"good":true}}`)
	if got := s.peers("o"); len(got) != 2 {
		t.Errorf("peers %v, want both", got)
	}
	s.write(memberKey("b"), `["another format"]`)
	if got := s.peers("o"); len(got) != 2 || s.agreed("o") {
		t.Errorf("peers %v and agreed %v, want one that cannot be read to live and not to agree", got, s.agreed("o"))
	}
	c := newCluster(Config{ID: "me", Orgs: map[string]int{"acme": 2}}, nil)
	c.view = s.view
	taken := func(why string, p Partition, want bool) {
		t.Helper()
		if l := c.look(false); l.isFree(p, "s0") != want || l.plan()[p] == "me" && !want {
			t.Errorf("%v, %s: free is %v and planned for %q, want %v", p, why, l.isFree(p, "s0"), l.plan()[p], want)
		}
	}
	unread, itsOwn := Partition{"acme", 0}, Partition{"acme", 1}
	s.write(ownerKey(unread), `["another format"]`)
	taken("whose entry cannot be read", unread, false)
	s.write(ownerKey(itsOwn), `{"member":"b","session":"s-b"}`)
	taken("of a member that cannot be read", itsOwn, false)
	s.live(deadAfter)
	taken("of one that is dead", itsOwn, true)
}
