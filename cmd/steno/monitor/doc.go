// Package monitor says, while it happens, whether agents see speech in time,
// and where the time goes if not: the live page, what /status.json tells of the
// flow, and the metrics that need more than one place of the flow to know.
//
//	engines → ingest → spool → batcher → sfclient → Salesforce
//	   └────────┴────[ the monitor looks on ]────┘
//
// It hears of every utterance four times: when its speech ended by the engine's
// clock, when it was received, when a request with it was written, and when
// Salesforce accepted it. What it makes of that is plain data (window.go,
// journey.go, journeys.go, clock.go, call.go, said.go), with numbered rules and
// the time passed in; Monitor is the lock around it, whose methods never wait.
//
// What it promises: memory is bounded, whatever engines send (calls, last
// utterances of a call, connections: each has a limit); nobody who looks slows
// the flow down, since one snapshot a second is made for all of them, and none
// while nobody looks; and what was said is kept, shown and sent to a browser
// only where Config.Text asks for it. Never is it logged or on a metric.
package monitor
