// Package assembly makes utterances out of what speech engines say piece by
// piece.
//
//	engines → ingest/dialect → [ingest/assembly] → ingest → spool → batcher → …
//
// What it promises: every word that stands leaves once, in the order in which
// the engine said it on its channel, at the latest some seconds after the
// engine has fallen silent; what was taken already, here or on an earlier
// connection, is not taken again; a piece has the same identity however often,
// and from whichever frame on, an engine's words are sent again.
//
// An Assembler is plain data: no lock, clock, goroutine or I/O; now is passed
// in. assembler.go has the rules of what becomes one utterance, times.go how
// an engine's offsets become times of the world, identity.go how a piece is
// named.
package assembly
