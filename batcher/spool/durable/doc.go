// Package durable is the spool on the disk: NATS JetStream, embedded in the
// process, with no port open; or with a URL, an external one.
//
//	engines → ingest → [batcher/spool/durable] → batcher → sfclient → Salesforce
//
// What it promises beside spool.Spool: a record survives a kill of the process
// and a power cut of the machine once Append has returned; a call's records are
// read in order, over restarts too; what waits lies on the disk and not in
// memory; after a restart little more is sent again than what was in flight,
// and a million waiting utterances are open in seconds; what the disk has lost
// is named and counted, never silently missing; what is settled is in no file
// any more a minute after Config.Keep has passed since its receipt, or a minute
// after its settlement where that is later. It does not survive the loss of the
// disk.
//
// The way of a record, and the file of each station:
//
//	commit.go   Append: whoever waits while a frame is written goes into the next
//	pacer.go    or, in a crowd, waits for a few others first
//	yield.go    or for the reader, where it has fallen behind
//	frame.go    a frame: the records that became safe with one sync
//	record.go   a record in a frame
//	store.go    JetStream, as much as is needed of it
//	fetch.go    and how it is read
//	segment.go  a segment: one stream of frames in a row of them
//	roll.go     the next segment is begun
//	files.go    how large JetStream's files in it are
//	embedded.go the server in the process
//	described.go the descriptions of its streams are looked at before
//	blocks.go   and so are its files
//	mend.go     it is started anew after a write error
//	ledger.go   which record is where and what is read next: plain data, numbered rules
//	read.go     Read: live speech from memory, the backlog from the disk
//	keep.go     what was settled is noted
//	note.go     a note of settlements
//	tidy.go     what is settled goes from the front
//	pack.go     and from behind what waits: a segment is replaced by a smaller one
//	packer.go   the frames of the smaller one
//	bury.go     what was rejected becomes a dead letter; letter.go: how it looks
//	deadletters.go, letterstore.go: list, retry and drop, and JetStream for it
//	recover.go, recover_letters.go: one pass over the store at the opening
//	open.go     the opening, station by station
//	directory.go the lock, the version, the proof of the key
//	lease.go    what the lock is for an external store
//	takeover.go and what ends a former holder's writing
//	names.go    many spools in one external store
//	connection.go the way there, which they share
//	servers.go  whether its servers are careful enough
//
// # On the disk
//
// <dir>/lock is held with flock, <dir>/VERSION says 2, and below
// <dir>/jetstream are the streams. STENO_SPOOL and STENO_SPOOL_<begin>_<revision>
// are the segments of a row of frames, whose sequences go on from one to the
// next; begin is the sequence that a segment begins at. Layout 1 had the first
// one only. A frame is a message, under a subject that carries the partition of
// the calls in it:
//
//	offset  size  frame (little endian)
//	0       4     "STNF"
//	4       1     version, 1
//	6       2     partition
//	8       8     writer, drawn at each opening
//	16      8     position of the first record
//	24      4     number of records
//	28      4     CRC-32C of bytes 0 to 27
//	32            records, each: 4 length, 4 CRC-32C, and that many bytes
//
//	        size  record
//	        1     flags: 1 end of a call, 2 urgent, 4 spoken, 8 received, 16 the stream's org and call are the record's
//	        v     seq in its stream
//	        v v   spoken: seconds and nanoseconds, where flagged
//	        v v   received, the same
//	        v …   strings with their lengths: org, call, the stream's org and call unless flagged, stream, epoch, messageId, speaker
//	        …     the message
//
// v is a varint. A frame's name for JetStream, which drops a second frame of
// the same name, is writer/partition/first. Positions are contiguous over the
// life of the spool, so that a hole shows: a position that no frame has and no
// note calls settled is lost. A record of length zero was settled and left out.
//
// STENO_SETTLED has notes: the floor below which everything is settled, the
// highest position acknowledged, ranges of settled positions with the reasons
// of those rejected, marks of streams whose frames are gone, and streams that
// are forgotten. The state is the union of all notes. A note is written
// within a twentieth of a second of a settlement; every 2,000 notes are written
// anew as one.
//
// STENO_DEADLETTERS has the rejected utterances, one a message, whose sequence
// is the letter's number:
//
//	offset  size  letter (little endian)
//	0       4     "STNL"
//	4       1     version, 1
//	5       1     flags: 1 a request may have been stored, 2 sent
//	6       v v   position, and when it was rejected, in nanoseconds
//	        v v   when it was last sent: seconds and nanoseconds, where flagged
//	        v     attempts
//	        v …   strings with their lengths: reason, Salesforce's words
//	        …     the record, as in a frame
//	        4     CRC-32C of all before it
//
// In an external store each opening leaves a frame without records: whoever had
// the store before, and publishes against a sequence, is refused from then on.
// The streams of a spool with a name are STENO_SPOOL@name and so on, and its
// subjects steno.at.name.spool.p0 and so on.
//
// A letter is written before any note that calls its utterance settled, and is
// itself proof that it is: one that a crash left without a note counts. A retry
// appends records whose seq is the letter's number and then drops the letters;
// the opening drops those that a crash left. Notes also say how many letters
// there must be.
//
// # What is settled goes
//
// JetStream forgets a message at once, and gives its bytes back when it throws
// a file away, of 32 KB or, where more is written, of 8 MB: behind one call that
// waits, and in a small store, that may be never. So frames lie in segments. The
// next one is begun after 32 MB or 50,000 frames, and after 30 s where the
// current one holds something settled. Frames that are settled and were kept for
// long enough are purged from the front, and a segment of which nothing waits is
// deleted as a whole. A closed segment that holds both is packed: what waits is
// copied, in large frames, into the segment's next revision, which takes its
// place once it is whole; then the old one is deleted. A closed segment of a
// backlog is packed without that, for its frames to be few. A full spool keeps
// nothing that is settled, and no note means that nothing goes.
//
// Deleted files are no longer there to be read; that their sectors are not
// yet overwritten is the file system's affair, and Config.Key's. An external
// JetStream has one segment, which is purged from the front only and not packed:
// its opening takes some ten seconds for a million frames. In a damaged
// segment, whose frames cannot be copied, settled text stays; and with 500
// segments, which takes calls that wait in each half minute of four hours, no
// further one is begun because of time.
package durable
