// Package pack measures how well the batcher packs: the real loop, spool and
// packer, on recorded calls, in simulated time, against an org that answers
// after a fixed time, and against a bound that no packer can go below.
//
//	go test ./bench/pack -run Table -v            what the gate runs
//	go test ./bench/pack -run 'Table|Pacing' -v -sweep -timeout 1h   10 to 100,000 calls, waits from 50 ms to 5 s
package pack
