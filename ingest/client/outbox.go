package client

// defaultWindow holds until the server has named its own.
const defaultWindow = 256

// outbox keeps a stream's utterances from Send until the server has settled
// them: acknowledged them, or refused them for good.
//
// It is plain data: no goroutine, lock, clock or I/O.
//
//	B1  held[i] has the seq base+i. Seqs begin at 1 and rise by 1; what is
//	    below base is settled
//	B2  nothing is put in while window utterances are held
//	B3  only seqs below base+window are written, in rising order, each once
//	    between two resumes; a gap is a resume
//	B4  an ack settles what has been written up to its seq
//	B5  a nack settles its seq alone, which is not written again unless a gap
//	    asks for exactly it
//	B6  opened with the epoch known, or the first one: acked settles everything
//	    up to it, and writing resumes after it. Opened with another epoch: acked
//	    counts in a life of the stream that is not ours; writing resumes at base
//	B7  a gap resumes at what is expected, or at base where that is later, once:
//	    further gaps with the same expected and rising seqs answer what was
//	    under way, and change nothing until something is settled
//	B8  a gap whose seq does not rise answers the resend: the server refuses
//	    what it has asked for, and this connection leads nowhere
type outbox struct {
	epoch  string
	window int
	base   uint64
	held   []item
	next   uint64 // the seq to be written next; base ≤ next ≤ base+len(held)
	top    uint64 // the highest seq that was ever written

	gapAt   uint64 // what the last gap expected, plus one; 0: none since something was settled
	gapSeen uint64 // the highest seq that was refused by it
}

// item is an utterance that is held.
type item struct {
	body  []byte // its JSON without what comes before and with its seq
	final bool   // nacked, while one before it is not settled
	asked bool   // a gap wants it although it is final
}

func newOutbox() outbox { return outbox{window: defaultWindow, base: 1, next: 1} }

func (o *outbox) empty() bool { return len(o.held) == 0 }

func (o *outbox) full() bool { return len(o.held) >= o.window }

// end is the seq that the next utterance gets.
func (o *outbox) end() uint64 { return o.base + uint64(len(o.held)) }

// put takes an utterance in and numbers it. The caller has asked full (B2).
func (o *outbox) put(body []byte) (seq uint64) {
	seq = o.end()
	o.held = append(o.held, item{body: body})
	return seq
}

// peek returns what is to be written next (B3).
func (o *outbox) peek() (seq uint64, body []byte, ok bool) {
	for ; o.next < min(o.end(), o.base+uint64(o.window)); o.next++ {
		if it := &o.held[o.next-o.base]; !it.final || it.asked {
			return o.next, it.body, true
		}
	}
	return 0, nil, false
}

// wrote marks what peek returned as written, and says if it was before.
func (o *outbox) wrote() (again bool) {
	o.held[o.next-o.base].asked = false
	again = o.next <= o.top
	o.top = max(o.top, o.next)
	o.next++
	return again
}

// opened resumes the stream on a new connection (B6), and returns how many
// utterances that has settled. A window of 0 leaves the one that is known.
func (o *outbox) opened(epoch string, acked uint64, window int) (settled int) {
	if window > 0 {
		o.window = window
	}
	if o.epoch == "" || o.epoch == epoch {
		settled = o.settle(min(acked, o.end()-1) + 1)
	}
	o.epoch = epoch
	o.next = o.base
	o.gapAt = 0
	return settled
}

// ack settles everything up to seq (B4), and returns how many that were.
func (o *outbox) ack(seq uint64) (settled int) {
	return o.settle(min(seq, o.top) + 1)
}

// nack settles seq alone (B5). It returns false where that is settled already.
func (o *outbox) nack(seq uint64) bool {
	if seq < o.base || seq > o.top || o.held[seq-o.base].final {
		return false
	}
	o.held[seq-o.base].final = true
	o.gapAt = 0
	o.settle(o.base)
	return true
}

// gap resumes where the server expects the stream to go on (B7), and returns
// false where it has refused just that (B8).
func (o *outbox) gap(seq, expected uint64) (ok bool) {
	if o.gapAt == expected+1 {
		ok = seq > o.gapSeen
		o.gapSeen = max(o.gapSeen, seq)
		return ok
	}
	o.gapAt, o.gapSeen = expected+1, seq
	o.next = min(max(expected, o.base), o.end())
	if o.next == expected && o.next < o.end() {
		o.held[expected-o.base].asked = true
	}
	return true
}

// settle lets go of what is below seq, and of what is final from there on. It
// returns how many were not final.
func (o *outbox) settle(seq uint64) (settled int) {
	n := 0
	for ; n < len(o.held) && (o.base+uint64(n) < seq || o.held[n].final); n++ {
		if !o.held[n].final {
			settled++
		}
		o.held[n] = item{} // the array behind the slice lives on
	}
	if n > 0 {
		o.gapAt = 0
	}
	o.held = o.held[n:]
	o.base += uint64(n)
	o.next = max(o.next, o.base)
	return settled
}
