package ingest

// verdict is what a stream says to a seq.
type verdict int

const (
	accepted   verdict = iota + 1 // it is the next one
	repeated                      // it came before: dropped, and acknowledged again
	outOfOrder                    // one is missing before it: nack gap
	afterEnd                      // the stream has ended: nack call_ended
)

// sequence is how far one stream has come in one life of it.
//
// It is plain data: no lock, clock or I/O. "Received" is what has been taken
// in, "safe" what may be acknowledged; a nacked utterance counts as both, in
// its turn.
//
//	Q1  safe ≤ received, always; nothing but a commit raises safe
//	Q2  seq = received+1 is accepted
//	Q3  seq ≤ received is a repeat
//	Q4  seq > received+1 is out of order, and received+1 is expected
//	Q5  an ended stream accepts nothing: what is no repeat comes after the end
//	Q6  while nothing has been accepted since the last open, an utterance n that
//	    Q4 refuses is noted; when the lowest n so refused comes again, it is
//	    accepted
//	Q7  a rollback makes received what is safe, and an end that is not safe undone
//	Q8  seq 0 never comes: it is not a usable seq
//
// Q6 is for a client that has dropped what the server has not: utterances that
// an earlier life of the stream acknowledged and this one knows nothing of, or
// one that was nacked, for good, just before the server was killed. It is told
// to resend, and starts at n again. Q4 alone would ask for what nobody has for
// ever. The first refusal gives a client that merely lost something the chance
// to send it: only one that still starts at n after having been asked for less
// holds nothing before n. It is the lowest n that must come again, as a client
// sends on before it has read the refusal. In the middle of a connection there
// is no such excuse.
type sequence struct {
	received uint64
	safe     uint64
	refused  uint64 // the lowest seq that Q6 has noted; 0: none
	begun    bool   // something was accepted since the last open
	ended    bool
	endSafe  bool // the end may be confirmed
}

// offer takes in seq where the rules accept it.
func (q *sequence) offer(seq uint64) verdict {
	switch {
	case seq <= q.received: // Q3
		return repeated
	case q.ended: // Q5
		return afterEnd
	case seq == q.received+1, !q.begun && seq == q.refused: // Q2, Q6
		q.received, q.begun = seq, true
		return accepted
	}
	if !q.begun && (q.refused == 0 || seq < q.refused) { // Q6
		q.refused = seq
	}
	return outOfOrder // Q4
}

// expected is the seq that a client must go on with.
func (q *sequence) expected() uint64 { return q.received + 1 }

// end takes in the client's `close` with reason `end`.
func (q *sequence) end() { q.ended = true }

// commit marks everything up to seq as safe.
func (q *sequence) commit(seq uint64) { q.safe = max(q.safe, seq) }

// commitEnd marks the end as safe.
func (q *sequence) commitEnd() { q.endSafe = true }

// rollback forgets what is not safe: whoever sent it will send it again.
func (q *sequence) rollback() {
	q.received = q.safe
	q.ended = q.endSafe
	q.reopen()
}

// reopen begins what Q6 goes by anew.
func (q *sequence) reopen() { q.refused, q.begun = 0, false }
