// Package dialect reads what speech engines say in their own words.
//
//	engines → [ingest/dialect] → ingest → spool → batcher → sfclient → Salesforce
//
// What it promises: a frame of an engine's own protocol becomes events, in the
// order in which the engine meant them; what an engine calls final is never
// lost or given twice by the reading; a frame that nobody understands is an
// error about that frame and nothing else; no frame, however hostile, makes a
// decoder panic or remember without bound.
//
// A Decoder is pure: it has no clock, goroutine or I/O, and knows one
// connection of one engine. It does not decide what becomes one utterance: it
// says what the engine said (Piece, Final, Boundary), and package assembly
// puts pieces together, finds the times' epoch and names the messages.
//
// There is one file an engine, with the engine's rules and where they were
// read at its head; dialects.go lists them. What they share:
//
//	fields.go       bytes → a JSON object that is not hostile; its members
//	times.go        the engines' unit systems → Instant
//	words.go        words with times and speakers, and the text that they make
//	channels.go     what is remembered of each channel, bounded
//	call.go         what a free-form slot says of the call
//	vendorwords.go  the message of an engine inside a platform's
//	path.go         where in a message something is, for mapping.go
package dialect
