// Package load measures a daemon, or whatever a user would run in its place,
// as an outsider would: it plays an open-loop load into the door, and is the
// Salesforce behind it.
//
//	[bench/load] → ingest → spool → batcher → sfclient → [bench/load]
//
// What it promises: an utterance is due when the shape of the load says so,
// whether or not anyone is ready for it, and every latency counts from there,
// so a slow daemon cannot make its own load lighter; what each utterance is and
// when it was due travels in its message id, so the sink needs to know nothing
// else; what is lost, doubled, or out of order is counted, as is every request
// beyond 5 entries × 5 messages.
//
// The way of an utterance, and the file of each station:
//
//	shape.go      when what is said
//	speaker.go    one connection: utterances → frames; acknowledgements
//	play.go       all connections, from the first handshake to the last answer
//	mark.go       what an utterance carries in its message id
//	sink.go       a lean Salesforce: HTTP without a server's comforts
//	book.go       what the sink has seen, call by call
//	histogram.go  latencies, in all and second by second
//	process.go    the daemon as a process: its CPU time and memory
//	report.go     the figures, as a table and as JSON; plot.go: as pictures
package load
