package daemon

import (
	"net/http"
	"slices"
	"sync"

	"example.com/steno/ingest"
)

// roster is for whom the daemon works: the orgs as they are in force, whether
// or not a pipeline runs for them.
type roster struct {
	mu      sync.Mutex // guards what follows
	members []member   // in the order of the orgs file; replaced, never changed
}

// member is an org on the roster.
type member struct {
	Org
	guard  ingest.Guard
	failed error // why nothing works for it; nil: something does
}

func newMember(o Org, failed error) member {
	return member{Org: o, guard: ingest.NewGuard(o.ingestConfig()), failed: failed}
}

// all are the members, in the order of the orgs file.
func (r *roster) all() []member {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members
}

// put replaces the member of that name, or adds it at the end.
func (r *roster) put(m member) {
	r.change(func(all []member) []member {
		if i := slices.IndexFunc(all, m.is); i >= 0 {
			all[i] = m
			return all
		}
		return append(all, m)
	})
}

// drop takes the member of that name out.
func (r *roster) drop(name string) {
	r.change(func(all []member) []member {
		return slices.DeleteFunc(all, func(m member) bool { return m.SFOrg == name })
	})
}

// arrange puts the members in the order of orgs, and takes over which of them
// is the default. Those that are not among orgs come last.
func (r *roster) arrange(orgs []Org) {
	r.change(func(all []member) []member {
		place := func(m member) int {
			i := slices.IndexFunc(orgs, func(o Org) bool { return o.SFOrg == m.SFOrg })
			if i < 0 {
				return len(orgs)
			}
			return i
		}
		slices.SortStableFunc(all, func(a, b member) int { return place(a) - place(b) })
		for i := range all {
			at := place(all[i])
			all[i].Default = at < len(orgs) && orgs[at].Default
		}
		return all
	})
}

func (r *roster) change(f func(all []member) []member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = f(slices.Clone(r.members))
}

func (m member) is(other member) bool { return m.SFOrg == other.SFOrg }

// named is the member of that name; of none, the default one.
func (r *roster) named(name string) (m member, known bool) {
	for _, m := range r.all() {
		if m.SFOrg == name || name == "" && m.Default {
			return m, true
		}
	}
	return member{}, false
}

// pick is the member that a request of an engine's is for: the one whose token
// it shows, else the default one, which lets it in or refuses it. It never
// stops early.
func (r *roster) pick(req *http.Request) (m member, found bool) {
	all := r.all()
	if len(all) == 1 {
		return all[0], true
	}
	at := slices.IndexFunc(all, func(m member) bool { return m.Default })
	for i := range all {
		if all[i].guard.Knows(req) {
			at = i
		}
	}
	if at < 0 {
		return member{}, false
	}
	return all[at], true
}
