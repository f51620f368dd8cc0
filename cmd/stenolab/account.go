package main

import (
	"fmt"
	"io"

	"example.com/steno/sfclient/orgsim"
)

// account is a demo's end: what the engines said against what the org stored.
type account struct {
	orgsim.Comparison
	calls     int
	nacks     int
	org       orgsim.Ledger
	console   latency // utterance emitted by the engine → accepted by Salesforce
	daemon    string
	requests  uint64 // that carried transcripts
	accepted  uint64 // of these, the ones that were accepted
	perCallIn int
}

func (s *stage) account() account {
	want := s.engine.ledger.want()
	ledger := s.sim.Ledger()
	a := account{
		Comparison: ledger.Compare(want), calls: len(want), nacks: len(s.engine.ledger.nacks), org: ledger,
		console: latencyOf(s.engine.ledger.onConsole), daemon: s.daemon.AccountLine(), perCallIn: ledger.MaxInFlightPerCall,
	}
	for _, endpoint := range []orgsim.Endpoint{orgsim.CreateBulkTranscriptMessages, orgsim.CreateTranscriptMessage} {
		for status, n := range ledger.Requests[endpoint] {
			a.requests += n
			if status == "200" {
				a.accepted += n
			}
		}
	}
	return a
}

// clean says whether the promises were kept.
func (a account) clean() bool {
	return a.Wanted > 0 && a.Comparison.Clean() && a.nacks == 0 &&
		a.org.LargestEntries <= 5 && a.org.LargestMessages <= 5 && a.perCallIn <= 1
}

func (a account) print(w io.Writer) {
	perRequest := float64(a.org.Stored) / float64(max(a.requests, 1))
	fmt.Fprintf(w, "\ncalls                  %d\n", a.calls)
	fmt.Fprintf(w, "utterances             %d said, %d on the console\n", a.Wanted, a.org.Stored)
	fmt.Fprintf(w, "lost                   %d\n", a.Lost)
	fmt.Fprintf(w, "duplicated             %d\n", a.Duplicated)
	fmt.Fprintf(w, "out of order           %d\n", a.OutOfOrder)
	fmt.Fprintf(w, "refused by the daemon  %d\n", a.nacks)
	fmt.Fprintf(w, "requests               %d, %.2f utterances each; one a message would have cost %d\n", a.requests, perRequest, a.Wanted)
	fmt.Fprintf(w, "largest request        %d entries, %d messages in one; %d of a call in flight at most\n", a.org.LargestEntries, a.org.LargestMessages, a.perCallIn)
	fmt.Fprintf(w, "end of speech → console  p50 %d ms, p99 %d ms\n", a.org.Latency.P50MS, a.org.Latency.P99MS)
	fmt.Fprintf(w, "engine's word → console  %v\n", a.console)
	fmt.Fprintf(w, "the daemon's own         %s\n", a.daemon)
	for _, example := range a.Examples {
		fmt.Fprintf(w, "  %s\n", example)
	}
}
