package cluster_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"example.com/steno/cmd/steno/cluster"
)

// TestPartitionOfIsForEver: these answers must never change, since they would
// split the calls that are under way.
func TestPartitionOfIsForEver(t *testing.T) {
	f := func(org, call string, n, want int) {
		t.Helper()
		if got := cluster.PartitionOf(org, call, n); got != (cluster.Partition{Org: org, Number: want}) {
			t.Errorf("PartitionOf(%q, %q, %d) = %v, want number %d", org, call, n, got, want)
		}
	}
	f("", "", 1, 0)
	f("", "", 4, 3)
	f("acme", "0LQ5g000000kXyzGAE", 4, 3)
	f("acme", "0LQ5g000000kXyzGAE", 64, 31)
	f("acme", "call-1", 4, 0)
	f("acme", "call-2", 4, 3)
	f("globex", "call-1", 4, 1)
	f("Größe & Co", "☎ 1", 1024, 270)
	f("a", "bc", 1<<20, 404935)
	f("ab", "c", 1<<20, 457117)
}

// TestPartitionsAreEven: keys that count up must not pile up.
func TestPartitionsAreEven(t *testing.T) {
	for _, n := range []int{2, 3, 4, 8, 64} {
		count := make([]int, n)
		const calls = 64_000
		for i := range calls {
			count[cluster.PartitionOf("acme", fmt.Sprintf("call-%06d", i), n).Number]++
		}
		for number, got := range count {
			if want := calls / n; got < want*85/100 || got > want*115/100 {
				t.Errorf("%d of %d calls are in partition %d of %d, want about %d", got, calls, number, n, want)
			}
		}
	}
}

func TestTokensAreOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z=.*>/ -]*`)).Draw(t, "name")
		token := cluster.Token(name)
		if back, err := cluster.Untoken(token); back != name || err != nil {
			t.Fatalf("%q as token %q comes back as %q, %v", name, token, back, err)
		}
		for _, c := range token {
			if c > 'z' || c == '.' || c == '*' || c == '>' || c <= ' ' || c == '/' {
				t.Fatalf("the token %q has a %q", token, c)
			}
		}
	})
}
