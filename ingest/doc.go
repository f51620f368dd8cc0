// Package ingest takes what engines say, over WebSocket or HTTP, and hands it
// to the spool: each stream's utterances once, in order, acknowledged only
// when they are safe.
//
//	[engines → ingest] → spool → batcher → sfclient → Salesforce
//	              ↑ack     └── settled ──┘
//
// Doors: GET /v1/ingest speaks the native protocol steno.v1 over WebSocket,
// POST /v1/calls/{vendorCallKey}/utterances takes the same utterances over
// HTTP. GET and POST /v1/ingest/{dialect} take an engine's own messages: a
// decoder of package dialect says what they mean, package assembly makes
// utterances of the pieces, and from there on they go the way of the native
// ones.
//
// The way of a frame, and the file of each station:
//
//	frame.go      bytes → JSON objects
//	message.go    object → message: which fields are there; value.go: what one
//	              holds; flat.go: the usual object in one pass
//	opening.go    message → opening: a valid `open`
//	utterance.go  message → utterance: valid, and rendered for Salesforce
//	sequence.go   may this seq come now? the rules of one stream, numbered
//	registry.go   streams and who owns them; call.go: calls
//	sightings.go  message ids that were accepted of late; index.go where a call's
//	              are; fifo.go: what is forgotten in the order of its coming
//	admit.go      opening or utterance → step of a turn, by those rules
//	reader.go     the goroutine that does all of the above, one a connection
//	leg.go        what the URL of a dialect's door says: which call, who speaks
//	engine.go     the reader's and the turn's side of a dialect's connection;
//	              push.go: the same for a POST
//	spares.go     memory that one message leaves to the next
//	committer.go  the goroutine that appends to the spool, then answers
//
// Each connection has a turn: what the reader has taken in since the committer
// last looked. The committer takes the whole turn, appends it as one group,
// marks it safe and writes the answers in the order of the messages. So the
// slower the spool is, the larger its groups; nothing is answered early; and
// one goroutine writes, as the WebSocket library demands. It is there only while
// there is something to do: a call is silent for most of its time. A timer
// sends pings, which the library allows beside the writer: a connection must
// not look dead because the spool is slow.
//
// One lock (Server.mu) guards all state. It is held for about a microsecond at
// a time, never across the decoding of a frame, an Append, or a socket.
package ingest
