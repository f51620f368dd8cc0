package cluster

import (
	"maps"
	"slices"
)

// Plan says which member should own which partition. It is a pure function, and
// the same on every member, so that nobody has to be asked:
//
//	P1  every partition of every org has one member, as soon as there is one
//	P2  of each org all members have the same number of partitions, within one
//	P3  and of all orgs together, within one
//	P4  no fewer partitions could change their member for P2 and P3 to hold
//	P5  the same input gives the same plan, in whatever order it comes
//	P6  whoever carries out a part of the plan leaves the rest of it as good: the
//	    plan of what there is then needs as many changes fewer
//
// Owners that are not members count as none. orgs says how many partitions each
// has.
func Plan(members []string, owners map[Partition]string, orgs map[string]int) map[Partition]string {
	if len(members) == 0 {
		return map[Partition]string{}
	}
	t := newTable(members, owners, orgs)
	for o := range t.orgs {
		t.spread(o)
	}
	if !t.done() {
		t.level()
	}
	return t.named(owners)
}

// table counts partitions by org and member. Those of one org are all alike:
// which of them a member has is decided at the end.
type table struct {
	members []string // sorted
	orgs    []string // sorted
	size    []int    // partitions, by org
	has     [][]int  // by member and org, now
	want    [][]int  // by member and org, as planned
	total   []int    // of want, by member
	low     int      // the least that a member should have of all
	high    int      // and the most
}

func newTable(members []string, owners map[Partition]string, orgs map[string]int) *table {
	t := &table{members: slices.Compact(slices.Sorted(slices.Values(members))), orgs: slices.Sorted(maps.Keys(orgs))}
	m := len(t.members)
	t.total = make([]int, m)
	place := map[string]int{}
	for o, org := range t.orgs {
		place[org] = o
		t.size = append(t.size, orgs[org])
		t.low += orgs[org]
	}
	for range t.members {
		t.has, t.want = append(t.has, make([]int, len(t.orgs))), append(t.want, make([]int, len(t.orgs)))
	}
	t.low, t.high = t.low/m, (t.low+m-1)/m
	for p, owner := range owners {
		o, known := place[p.Org]
		j, live := slices.BinarySearch(t.members, owner)
		if known && live && p.Number < t.size[o] {
			t.has[j][o]++
		}
	}
	return t
}

// spread plans one org as if it were the only one: whoever has more than the
// least keeps one more if it can, then come those with the fewest of all.
func (t *table) spread(o int) {
	least, more := t.size[o]/len(t.members), t.size[o]%len(t.members)
	order := make([]int, len(t.members))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if x, y := t.has[a][o] > least, t.has[b][o] > least; x != y {
			if x {
				return -1
			}
			return 1
		}
		return t.total[a] - t.total[b]
	})
	for i, j := range order {
		t.want[j][o] = least
		if i < more {
			t.want[j][o]++
		}
		t.total[j] += t.want[j][o]
	}
}

// done says that nothing is to move at all, which is how it mostly is.
func (t *table) done() bool {
	for j := range t.want {
		if !slices.Equal(t.want[j], t.has[j]) {
			return false
		}
	}
	return slices.Min(t.total) >= t.low && slices.Max(t.total) <= t.high
}

// unlevel is what a member costs that has one too many or too few, against the
// moves that it takes to change that.
const unlevel = 1 << 20

// level makes the totals even (P3) at the cost of the fewest moves (P4). A step
// hands one partition on from member to member along the cheapest path; each
// handing on is of an org of which the giver has one more than the taker, so P2
// stays. It is the min-cost flow of successive cheapest paths: spread leaves the
// cheapest plan without P3, from which no cycle of exchanges saves anything,
// and a cheapest path makes none that does.
func (t *table) level() {
	x := newExchange(t)
	for {
		path := x.cheapest()
		if path == nil {
			return
		}
		for i := range len(path) - 1 {
			from, to := path[i], path[i+1]
			o := x.org[from][to]
			t.want[from][o]--
			t.want[to][o]++
		}
		t.total[path[0]]--
		t.total[path[len(path)-1]]++
		for _, j := range path {
			x.price(j)
		}
	}
}

// exchange has the cheapest org of which a member could hand one to another.
type exchange struct {
	t    *table
	cost [][]int // by giver and taker: moves more, or fewer; impossible: there is none
	org  [][]int
}

const impossible = unlevel << 8

func newExchange(t *table) *exchange {
	x := &exchange{t: t}
	for range t.members {
		x.cost, x.org = append(x.cost, make([]int, len(t.members))), append(x.org, make([]int, len(t.members)))
	}
	for from := range t.members {
		for to := range t.members {
			x.pair(from, to)
		}
	}
	return x
}

// price looks anew at what j can give and take.
func (x *exchange) price(j int) {
	for k := range x.t.members {
		x.pair(j, k)
		x.pair(k, j)
	}
}

func (x *exchange) pair(from, to int) {
	x.cost[from][to] = impossible
	wants, has := x.t.want[from], x.t.has[from]
	wantsTo, hasTo := x.t.want[to][:len(wants)], x.t.has[to][:len(wants)]
	for o, want := range wants {
		if want <= wantsTo[o] {
			continue
		}
		cost := 0
		if want <= has[o] {
			cost++
		}
		if wantsTo[o] < hasTo[o] {
			cost--
		}
		if cost < x.cost[from][to] {
			x.cost[from][to], x.org[from][to] = cost, o
		}
		if cost < 0 {
			return
		}
	}
}

// cheapest is the path of members that saves most (Bellman and Ford); nil: none
// saves anything.
func (x *exchange) cheapest() (path []int) {
	t := x.t
	cost, before := make([]int, len(t.members)), make([]int, len(t.members))
	for j := range t.members {
		cost[j], before[j] = t.giving(j), -1
	}
	for changed := true; changed; {
		changed = false
		for from := range t.members {
			for to, c := range x.cost[from] {
				if c != impossible && cost[from]+c < cost[to] {
					cost[to], before[to], changed = cost[from]+c, from, true
				}
			}
		}
	}
	best, end := 0, -1
	for j := range t.members {
		if c := cost[j] + t.taking(j); c < best {
			best, end = c, j
		}
	}
	for ; end >= 0; end = before[end] {
		path = append(path, end)
	}
	slices.Reverse(path)
	return path
}

// giving is what it costs when a member has one fewer.
func (t *table) giving(j int) int {
	switch {
	case t.total[j] > t.high:
		return -unlevel
	case t.total[j] <= t.low:
		return unlevel
	}
	return 0
}

// taking is what it costs when a member has one more.
func (t *table) taking(j int) int {
	switch {
	case t.total[j] < t.low:
		return -unlevel
	case t.total[j] >= t.high:
		return unlevel
	}
	return 0
}

// named says which partitions the counts are: each member keeps its first ones,
// and the rest go, in order, to those who want more.
func (t *table) named(owners map[Partition]string) map[Partition]string {
	plan := map[Partition]string{}
	for o, org := range t.orgs {
		var rest []Partition
		for n := range t.size[o] {
			p := Partition{org, n}
			if j, live := slices.BinarySearch(t.members, owners[p]); live && t.want[j][o] > 0 {
				plan[p] = t.members[j]
				t.want[j][o]--
				continue
			}
			rest = append(rest, p)
		}
		j := 0
		for _, p := range rest {
			for t.want[j][o] == 0 {
				j++
			}
			plan[p] = t.members[j]
			t.want[j][o]--
		}
	}
	return plan
}
