// Package relay is the door of a daemon that is one of many: it passes each
// connection's messages on, unchanged, to the daemon that works on their calls,
// and the answers back.
//
//	engines → [ingest/relay] → ingest → spool → batcher → sfclient → Salesforce
//	            any daemon     └─ the daemon that owns the calls' partition ──┘
//
// What it promises: it acknowledges nothing itself, so what a client takes for
// safe is safe at the owner; a client's messages of one call arrive in their
// order or not at all; when a partition moves, the connections with calls of it
// end as they would if a single daemon were restarted, and the clients resume
// by the protocol's own rules, through this door or another.
//
// The way of a message, and the file of each station:
//
//	door.go      who is let in, and what all connections share
//	upstream.go  a connection to an owner; who is connected does not wait for one
//	link.go      a client's connection and those that it goes on in
//	native.go    which message of the native protocol goes where
//	pings.go     a ping that is answered once all owners have answered it
//	engine.go    an engine's connection: all of it goes to one owner
//	post.go      requests over HTTP
//
// A link has a goroutine that reads the client and one for each upstream that
// reads the answers. Nothing is kept: a client that does not read holds up its
// owners' answers, an owner that does not read holds up its client.
package relay
