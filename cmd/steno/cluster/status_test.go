package cluster

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// What a member has to do goes along with its heartbeats and changes nothing
// for those who hear it; another version's costs it nothing.
func TestLoadChangesNothing(t *testing.T) {
	s := newStory(t)
	f := func(load string, want Load) {
		t.Helper()
		entry := `{"id":"a","address":"a:1","version":"v","session":"s","orgs":"o","load":` + load + `,"news":[1]}`
		if s.write(memberKey("a"), entry) {
			t.Errorf("load %s changes who owns what", load)
		}
		if m := s.members["a"]; m.load != want || m.Session != "s" {
			t.Errorf("load %s is read as %+v, of session %s", load, m.load, m.Session)
		}
	}
	s.write(memberKey("a"), `{"id":"a","address":"a:1","version":"v","session":"s","orgs":"o"}`)
	f(`{"calls":3,"pending":4,"oldest":0.5,"delivered":21.5,"p95":0.8}`, Load{3, 4, .5, 21.5, .8})
	f(`{"calls":5,"cores":64}`, Load{Calls: 5})
	f(`"heavy"`, Load{})
	f(`null`, Load{})
}

// Everybody hears every heartbeat twice a second.
func TestHeartbeatIsSmall(t *testing.T) {
	entry, err := json.Marshal(heartbeat{member{
		ID: "steno-eu-central-1a", Address: "steno-eu-central-1a.voice.example.com:8082", Version: "v1.22.333 " + strings.Repeat("f", 40),
		Session: strings.Repeat("S", 26), Orgs: strings.Repeat("f", 16),
	}, Load{12345, 123456, 1234.56, 12345.6, 12.345}})
	if err != nil || len(entry) > 310 {
		t.Errorf("a heartbeat has %d bytes: %s, %v", len(entry), entry, err)
	}
}

func TestStatesOfMembers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig, a, b, c *daemon) {
		want := func(states map[string]string, living int) {
			t.Helper()
			s := a.c.Status()
			for _, m := range s.Members {
				if m.State != states[m.ID] {
					t.Errorf("%s is %s, want %s", m.ID, m.State, states[m.ID])
				}
			}
			if len(s.Members) != len(states) || s.Living() != living {
				t.Errorf("%d members, %d live, want %d and %d", len(s.Members), s.Living(), len(states), living)
			}
		}
		b.c.SetLoad(Load{Calls: 7})
		time.Sleep(2 * beatEvery)
		want(map[string]string{"a": Well, "b": Well, "c": Well}, 3)
		s := a.c.Status()
		if got := s.Members[1].Load; got != (Load{Calls: 7}) || s.Unowned() != 0 {
			t.Errorf("b has %+v, and %d partitions are nobody's", got, s.Unowned())
		}
		c.c.mu.Lock()
		c.c.session.ailing = time.Now().Add(time.Hour)
		c.c.mu.Unlock()
		time.Sleep(2 * beatEvery)
		want(map[string]string{"a": Well, "b": Well, "c": Ailing}, 3)

		// Who is cut off knows of itself only that it may do nothing.
		a.link.cut.Lock()
		time.Sleep(fencedAfter + beatEvery)
		if s := a.c.Status(); !s.Fenced || s.Members[0].State != Fenced {
			t.Errorf("cut off: %+v", s)
		}
		a.link.cut.Unlock()
		time.Sleep(10 * time.Second)

		r.die(b)
		r.within(5*time.Second, "the dead one counts no more", func() bool {
			s := a.c.Status()
			return s.Living() == 2
		})
	})
}
