// Package cluster decides which of many daemons works on which calls.
//
//	engines → any member, a door → [cmd/steno/cluster: who owns it?] → the owner's pipeline
//
// The calls of each org are cut into partitions (PartitionOf), and a partition
// is one member's at a time. What it promises: no two members hold a partition
// at one moment, where holding means that Holds returns nil; a partition of a
// member that died has another one within five seconds; one that leaves hands
// all over in well under one; partitions lie evenly, and move no more than that
// takes. There is no consensus of its own: a JetStream key-value bucket orders
// all writes, and everything is changed with compare-and-set.
//
// The bucket STENO_CLUSTER:
//
//	member.<id>         a member, written anew twice a second: its one lease for all that it owns
//	owner.<org>.<n>     who owns a partition, and since when; or whom it was left to
//	org.<org>           how many partitions the org has: not a thing that two members may differ in
//	history.<org>       what an owner remembers for the next one (Keep)
//
// The files:
//
//	partition.go  which partition a call belongs to; the keys
//	plan.go       who should own what: a pure function with numbered rules
//	view.go       what a member knows of all others, from one watch: numbered rules
//	member.go     the heartbeat, the fence, sessions
//	watch.go      the watch
//	cluster.go    what the rest of the program asks: Run, Holds, Owner
//	turn.go       the loop that brings what we have to what the plan says: numbered rules
//	look.go       what one turn of it goes by
//	claim.go      tenure: how one partition is taken, held and handed over
//	status.go     what people and the monitor see of it
//	inspect.go    what can be seen from outside, before one is a member
//	share.go      what the owners of an org tell one another
//	store.go      the little of a bucket that all this needs; bucket.go: JetStream's
package cluster
