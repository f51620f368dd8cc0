package durable

import (
	"fmt"

	"example.com/steno/batcher/spool"
)

// maxHollow is how many records in a row are left out within a frame. More of
// them end it, where K5 allows that.
const maxHollow = 32

// packer makes large frames of what it is given, in the order of positions. A
// record that is left out between two that stay is hollow: it has a length of
// zero.
type packer struct {
	*packing
	writer  uint64
	publish func(partition uint16, data []byte) (seq uint64, err error)
	new     *held
	spans   spans

	taken, begun int // frames of the old segment and of the new one

	open   header // of the frame that is being filled; without records: there is none
	data   []byte
	hollow uint32 // left out behind its last record
	stored stored // what is known of it
	done   spool.Position
}

// frame takes in a frame of the old segment. One that is not in the books is
// left: it was never acknowledged there, and lies in a later segment.
func (w *packer) frame(seq uint64, data []byte) error {
	h, body, err := parseHeader(data)
	if err != nil {
		return fmt.Errorf("frame %d: %w", seq, err)
	}
	if h.first > w.old.last {
		return nil
	}
	w.taken++
	for p := h.first; p <= h.last(); p++ {
		v, rest := nextRecord(body)
		if rest == nil {
			return fmt.Errorf("frame %d, position %d: %w", seq, p, v.err)
		}
		record := body[:len(body)-len(rest)]
		body = rest
		switch {
		case p <= w.done: // a frame that is stored twice
			continue
		case len(record) == recordHeader || w.erase && w.gone[p-w.old.first]:
			w.hollow++
		default:
			if err := w.add(h.partition, p, record, &v.view); err != nil {
				return err
			}
		}
		w.done = p
	}
	return nil
}

// add puts a record behind those of the open frame, or into a new one. While as
// many were begun as were taken, the open one has records of the last one that
// was taken only, and so has room for the rest of them (K5).
func (w *packer) add(partition uint16, p spool.Position, record []byte, v *view) error {
	next := w.open.first + spool.Position(w.open.count) + spool.Position(w.hollow)
	follows := p == next && partition == w.open.partition
	full := w.open.count+w.hollow >= maxFrameRecords || len(w.data)+len(record) > maxFrameBytes || w.hollow > maxHollow
	if w.open.count > 0 && (!follows || full && w.begun < w.taken) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.open.count == 0 {
		w.begun++
		w.open = header{partition: partition, writer: w.writer, first: p}
		w.data = beginFrame(w.data)
		w.hollow = 0
	}
	for ; w.hollow > 0; w.hollow-- {
		w.data = append(w.data, make([]byte, recordHeader)...)
		w.open.count++
	}
	w.data = append(w.data, record...)
	w.open.count++
	w.stored.present++
	if !v.ended() {
		w.stored.oldest, w.stored.newest = earlier(w.stored.oldest, v.received), later(w.stored.newest, v.received)
	}
	return nil
}

// flush publishes the open frame.
func (w *packer) flush() error {
	if w.open.count == 0 {
		return nil
	}
	endFrame(w.data, w.open)
	seq, err := w.publish(w.open.partition, w.data)
	if err != nil {
		return err
	}
	at := w.stored
	at.seq, at.first, at.last, at.bytes = seq, w.open.first, w.open.last(), len(w.data)
	if at.newest.IsZero() {
		at.newest = w.old.newest
	}
	w.new.add(at)
	w.spans.add(at)
	w.open, w.stored, w.hollow = header{}, stored{}, 0
	return nil
}
