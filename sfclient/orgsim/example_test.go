package orgsim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"example.com/steno/sfclient/orgsim"
)

// An org for a test: the next request fails as planned, and the ledger proves
// what was stored.
func Example() {
	org := orgsim.New(orgsim.Config{MakeCalls: true})
	server := httptest.NewServer(org)
	defer server.Close()

	resp, err := http.Post(server.URL+"/services/oauth2/token", "application/x-www-form-urlencoded",
		strings.NewReader("grant_type=client_credentials&client_id=key&client_secret=secret"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println("token:", resp.StatusCode)

	org.Plan(orgsim.Fault{Kind: orgsim.TooMany, RetryAfter: 30 * time.Second})
	// … the client under test sends "m1" and "m2" of call "b09955ce" …
	fmt.Println(org.Ledger().Compare(map[string][]string{"b09955ce": {"m1", "m2"}}).Examples)
	// Output:
	// token: 200
	// [call b09955ce: m1 not stored call b09955ce: m2 not stored]
}

func ExampleParseFaults() {
	rates, err := orgsim.ParseFaults("500=0.01,cut-after=0.005,slow=0.1:2s")
	for _, r := range rates {
		fmt.Println(r.Kind, r.Share, r.Delay)
	}
	fmt.Println(err)

	_, err = orgsim.ParseFaults("slow=0.1")
	fmt.Println(err)
	// Output:
	// 500 0.01 0s
	// cut-after 0.005 0s
	// slow 0.1 2s
	// <nil>
	// fault slow: delay "": want a duration above zero, like slow=0.1:2s
}
