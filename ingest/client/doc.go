// Package client speaks Steno's native protocol steno.v1 from the engines'
// side: speech engines' relays use it, and so do Steno's own load and replay
// tools.
//
//	[engines] → ingest → spool → batcher → sfclient → Salesforce
//	    ↑ack       │
//	    └──────────┘
//
// What it promises: an utterance that Send has taken is kept until the server
// says that it is safe (ack) or final (nack), over dropped connections and
// restarts of the server; a stream's utterances arrive in the order of Send;
// and each is sent again only after a reconnect or when the server asks for
// it, always under the same seq, by which the server drops repeats. It keeps
// them in memory: what was not acknowledged when the process ends is gone.
//
// One Client is one connection, which carries many streams. A stream is one
// source of utterances of one call. Its id belongs to its utterances for good:
// a process that opens a stream which the server knows from before must send
// the same utterances again from the first on, as a replay does, because the
// server drops what it has already. A relay that cannot repeat itself picks a
// new id after its own restart.
//
// Files: client.go and stream.go are what callers use; outbox.go keeps what is
// unacknowledged, plain data with numbered rules; session.go decides what to
// write and replies.go what an answer changes, both under the client's one
// lock; link.go moves frames over one connection with a reading and a writing
// goroutine; run.go goes from one connection to the next.
package client
