package cluster_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/steno/cmd/steno/cluster"
)

// situation is what a plan is made of.
type situation struct {
	members []string
	owners  map[cluster.Partition]string
	orgs    map[string]int
}

func (s situation) plan() map[cluster.Partition]string {
	return cluster.Plan(s.members, s.owners, s.orgs)
}

// moves counts the partitions that the plan gives to another.
func (s situation) moves(plan map[cluster.Partition]string) (n int) {
	for p, member := range plan {
		if s.owners[p] != member {
			n++
		}
	}
	return n
}

func (s situation) partitions() (all []cluster.Partition) {
	for _, org := range slices.Sorted(maps.Keys(s.orgs)) {
		for n := range s.orgs[org] {
			all = append(all, cluster.Partition{Org: org, Number: n})
		}
	}
	return all
}

// drawSituation has owners that follow no plan; some are dead, some are none.
func drawSituation(t *rapid.T, members, orgs, partitions int) situation {
	s := situation{orgs: map[string]int{}, owners: map[cluster.Partition]string{}}
	for i := range rapid.IntRange(1, members).Draw(t, "members") {
		s.members = append(s.members, fmt.Sprintf("m%d", i))
	}
	for i := range rapid.IntRange(1, orgs).Draw(t, "orgs") {
		s.orgs[fmt.Sprintf("o%d", i)] = rapid.IntRange(1, partitions).Draw(t, "partitions")
	}
	for _, p := range s.partitions() {
		if j := rapid.IntRange(-2, len(s.members)).Draw(t, "owner"); j >= -1 {
			s.owners[p] = fmt.Sprintf("m%d", j)
		}
	}
	return s
}

// unevenness says what of P1 to P3 a plan breaks; empty: nothing.
func (s situation) unevenness(plan map[cluster.Partition]string) string {
	all := map[string]int{}
	for org, n := range s.orgs {
		of := map[string]int{}
		for i := range n {
			member, ok := plan[cluster.Partition{Org: org, Number: i}]
			if !ok || !slices.Contains(s.members, member) {
				return fmt.Sprintf("P1: %s/%d has member %q", org, i, member)
			}
			of[member]++
			all[member]++
		}
		if d := spread(s.members, of); d > 1 {
			return fmt.Sprintf("P2: of %s the members have %v", org, of)
		}
	}
	if d := spread(s.members, all); d > 1 {
		return fmt.Sprintf("P3: the members have %v", all)
	}
	if len(plan) != len(s.partitions()) {
		return fmt.Sprintf("the plan has %d partitions, want %d", len(plan), len(s.partitions()))
	}
	return ""
}

// spread is the most that a member has beyond another.
func spread(members []string, of map[string]int) int {
	var counts []int
	for _, m := range members {
		counts = append(counts, of[m])
	}
	return slices.Max(counts) - slices.Min(counts)
}

func TestPlanIsEvenAndTheSameInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t, 9, 8, 12)
		plan := s.plan()
		if fault := s.unevenness(plan); fault != "" {
			t.Fatalf("%+v: %s", s, fault)
		}
		s.members = rapid.Permutation(s.members).Draw(t, "order")
		if again := s.plan(); !maps.Equal(plan, again) {
			t.Fatalf("P5: %v, in another order of members %v", plan, again)
		}
	})
}

// TestPlanMovesTheFewest compares with every other plan there is (P4).
func TestPlanMovesTheFewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t, 3, 3, 3)
		all := s.partitions()
		best := len(all) + 1
		other := map[cluster.Partition]string{}
		var try func(i int)
		try = func(i int) {
			if i < len(all) {
				for _, m := range s.members {
					other[all[i]] = m
					try(i + 1)
				}
			} else if moves := s.moves(other); moves < best && s.unevenness(other) == "" {
				best = moves
			}
		}
		if len(all) > 7 {
			t.Skip("too many plans to compare with")
		}
		try(0)
		if moves := s.moves(s.plan()); moves != best {
			t.Fatalf("P4: %+v: the plan moves %d, %d would do", s, moves, best)
		}
	})
}

// TestPlanWhenOneComesOrGoes holds the plan to what is seen at once: a member
// that comes gets its share and nothing else moves; of one that goes what it had
// moves, and now and then one more for the orgs' sake.
func TestPlanWhenOneComesOrGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t, 12, 1, 1)
		s.orgs = map[string]int{}
		per := rapid.IntRange(1, 6).Draw(t, "partitions of every org")
		for i := range rapid.IntRange(1, 60).Draw(t, "number of orgs") {
			s.orgs[fmt.Sprintf("o%d", i)] = per
		}
		s.owners = s.plan()
		if moves := s.moves(s.plan()); moves != 0 {
			t.Fatalf("a plan that was carried out moves %d", moves)
		}
		s.members = append(s.members, "newcomer")
		joined := s.plan()
		if got, moves := count(joined, "newcomer"), s.moves(joined); per < len(s.members) && moves != got {
			t.Fatalf("a newcomer gets %d and %d move", got, moves)
		}
		s.owners = joined
		gone := rapid.IntRange(0, len(s.members)-1).Draw(t, "gone")
		had := count(joined, s.members[gone])
		s.members = slices.Delete(s.members, gone, gone+1)
		if moves := s.moves(s.plan()); per <= len(s.members) && (moves < had || moves > had+len(s.members)) {
			t.Fatalf("one that had %d goes and %d move", had, moves)
		}
	})
}

func count(plan map[cluster.Partition]string, member string) (n int) {
	for _, m := range plan {
		if m == member {
			n++
		}
	}
	return n
}

// TestPlanConverges has members carry out parts of it, each its own, each
// planning anew from what there is (P6).
func TestPlanConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSituation(t, 6, 5, 8)
		for left := s.moves(s.plan()); left > 0; {
			plan, done := s.plan(), 0
			if moves := s.moves(plan); moves != left {
				t.Fatalf("P6: %d moves are left, want %d", moves, left)
			}
			actor := rapid.SampledFrom(s.members).Draw(t, "actor")
			for _, p := range s.partitions() {
				if plan[p] == actor && s.owners[p] != actor && rapid.Bool().Draw(t, "acts") {
					s.owners[p] = actor
					done++
				}
			}
			left -= done
		}
	})
}

func TestPlanOfNobody(t *testing.T) {
	if plan := cluster.Plan(nil, nil, map[string]int{"a": 4}); len(plan) != 0 {
		t.Errorf("without a member the plan is %v", plan)
	}
}
