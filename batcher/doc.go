// Package batcher puts utterances of many calls into as few requests as
// Salesforce's limits allow, without letting any of them wait longer than it
// must.
//
//	engines → ingest → spool → [batcher] → sfclient → Salesforce
//
// What it promises: a call's utterances are sent in the order in which the
// spool gives them, with at most one request of the call in flight; no request
// exceeds the limits; an utterance whose call is free goes out as soon as five
// entries are ready, or it is urgent, or its call has ended, or it has waited
// MaxWait; every utterance is settled exactly once; a call that Salesforce
// refuses delays no other.
//
// The middle is plain data with numbered rules, and a file for each:
//
//	packer.go   what is sent when
//	pick.go     which entries a request takes
//	queue.go    calls in the order in which they are due
//	buffer.go   one call's utterances, cut into entries
//	outcome.go  an answer → what is settled, what goes again, who rests
//	ending.go   calls that have ended, and what comes after that
//	gate.go     trouble of the whole org: nothing is sent for a while
//	flight.go   how many requests may be in flight
//	window.go   the org's rate limit, learned from its refusals
//	pace.go     the wait for company, stretched while requests are short
//	budget.go   what an utterance may cost, so that the day's requests last
//	sibling.go  what is the whole org's, where several batchers share it
//
// None of them knows a goroutine, a lock or a clock. Batcher is the one loop
// that feeds them and carries out what they decide.
//
// The package knows neither WebSockets nor HTTP: it reads from a spool.Spool
// and sends through a Sender.
package batcher
