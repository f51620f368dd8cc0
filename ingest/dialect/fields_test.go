package dialect

import (
	"testing"

	"github.com/tidwall/gjson"
)

func TestLoose(t *testing.T) {
	f := func(object, want string) {
		t.Helper()
		if got := loose(gjson.Parse(object), "results", "isfinal").Raw; got != want {
			t.Errorf("loose(%s) = %s, want %s", object, got, want)
		}
	}
	f(`{"results":{"isFinal":1}}`, "1")
	f(`{"RESULTS":{"is":0,"is_final":1,"isFinal":2}}`, "1")
	f(`{"_Results_":{"IsFinal":{"a":[]}}}`, `{"a":[]}`)
	f(`{"results":{"isFinally":1,"isFina":1}}`, "")
	f(`{"results":[{"isFinal":1}]}`, "")
	f(`{"results":"isFinal"}`, "")
	f(`{"result":{"isFinal":1}}`, "")
	f(`null`, "")
}
