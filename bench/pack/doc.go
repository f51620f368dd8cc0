// Package pack measures how well the batcher packs: the real loop, spool and
// packer, on recorded calls, in simulated time, against an org that answers
// after a fixed time. It has no code of its own outside its tests:
//
//	go test ./bench/pack -run Table -v
package pack
