package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient/orgsim"
)

// TestDemo is what a newcomer sees first, with a second of play.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	d := demoCommand{Calls: 20, Speed: 20, Duration: time.Second, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Urgent: 10, AnswerTime: orgsim.AnswerTime{Median: 5 * time.Millisecond}}
	err := d.Run(t.Context(), cli.Process{Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"20 calls at once from", "agent ", "caller ", " ms\n", "lost                   0", "out of order           0", "rejected 0, pending 0"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo did not print %q:\n%s", want, out.String())
		}
	}
}

// TestDemoFailsWhenItShould: an org that refuses some of it leaves an account
// that is not clean.
func TestDemoFailsWhenItShould(t *testing.T) {
	var out bytes.Buffer
	faults, err := orgsim.ParseFaults("207-paused=1:1")
	if err != nil {
		t.Fatal(err)
	}
	d := demoCommand{Calls: 5, Speed: 20, Duration: time.Second, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Faults: faults, Quiet: true}
	if err := d.Run(t.Context(), cli.Process{Stdout: &out, Stderr: &out}); err == nil {
		t.Errorf("a demo that lost utterances ended well:\n%s", out.String())
	}
}

// TestDemoHolds: what is held on plays until it is interrupted, and has its
// monitor meanwhile.
func TestDemoHolds(t *testing.T) {
	looked := false
	heldDemo(t, func(monitor string) {
		waitForDelivery(t, monitor)
		looked = true
	})
	if !looked {
		t.Error("the demo told no address of its monitor")
	}
}

// heldDemo runs a demo, and look with the address of its monitor; then it is
// interrupted.
func heldDemo(t *testing.T, look func(monitor string)) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	screen, out := io.Pipe()
	d := demoCommand{Calls: 20, Speed: 20, Duration: time.Millisecond, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Hold: true, Quiet: true}
	done := make(chan error, 1)
	go func() {
		done <- d.Run(ctx, cli.Process{Stdout: out, Stderr: io.Discard})
		out.Close()
	}()
	lines := bufio.NewScanner(screen)
	for lines.Scan() {
		if at, found := strings.CutPrefix(lines.Text(), "the monitor: "); found {
			look(at)
			interrupt()
		}
	}
	if err := <-done; err != nil {
		t.Errorf("the demo ended with %v when it was interrupted", err)
	}
}

// waitForDelivery waits until the daemon's status shows a delivery, and checks
// that its monitor page is there.
func waitForDelivery(t *testing.T, at string) {
	t.Helper()
	get := func(path string) []byte {
		resp, err := http.Get(at + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("GET %s: %s, %v", path, resp.Status, err)
		}
		return body
	}
	for delivered := uint64(0); delivered == 0; {
		var status daemon.Status
		if err := json.Unmarshal(get("status.json"), &status); err != nil {
			t.Fatal(err)
		}
		delivered = status.Account.Delivered
	}
	if page := get(""); !bytes.Contains(page, []byte("<title>Steno</title>")) {
		t.Errorf("the monitor page is %.200s", page)
	}
}

func TestUnclean(t *testing.T) {
	f := func(name string, spoil func(*account)) {
		t.Helper()
		a := account{Comparison: orgsim.Comparison{Wanted: 3}, perCallIn: 1}
		if !a.clean() {
			t.Errorf("a clean account is called unclean")
		}
		if spoil(&a); a.clean() {
			t.Errorf("%s: called clean", name)
		}
	}
	f("nothing said", func(a *account) { a.Wanted = 0 })
	f("lost", func(a *account) { a.Lost = 1 })
	f("duplicated", func(a *account) { a.Duplicated = 1 })
	f("out of order", func(a *account) { a.OutOfOrder = 1 })
	f("unexpected", func(a *account) { a.Unexpected = 1 })
	f("refused", func(a *account) { a.nacks = 1 })
	f("six entries", func(a *account) { a.org.LargestEntries = 6 })
	f("six messages", func(a *account) { a.org.LargestMessages = 6 })
	f("two in flight", func(a *account) { a.perCallIn = 2 })
}
