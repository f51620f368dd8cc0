package batcher

import (
	"container/heap"
	"time"

	"example.com/steno/batcher/spool"
)

// queue is a heap of buffers in the order that less gives. A buffer whose
// order changes is told so by fix.
type queue struct {
	buffers []*buffer
	less    func(a, b *buffer) bool
}

// rank is what a buffer's place goes by. It is worked out when the buffer takes
// its place: in a backlog it is compared with many others, and what it is made
// of lies far apart.
type rank struct {
	urgent bool
	due    time.Time
	first  spool.Position // of its utterances
}

// sooner is R5. Among equals the spool's order decides.
func sooner(a, b *buffer) bool {
	switch x, y := &a.rank, &b.rank; {
	case x.urgent != y.urgent:
		return x.urgent
	case !x.due.Equal(y.due):
		return x.due.Before(y.due)
	default:
		return x.first < y.first
	}
}

func (q *queue) first() *buffer {
	if len(q.buffers) == 0 {
		return nil
	}
	return q.buffers[0]
}

func (q *queue) put(b *buffer) {
	b.in = q
	heap.Push((*order)(q), b)
}

func (q *queue) remove(b *buffer) {
	heap.Remove((*order)(q), b.index)
	b.in = nil
}

func (q *queue) fix(b *buffer) { heap.Fix((*order)(q), b.index) }

// sort is for when less has changed its mind about all of them.
func (q *queue) sort() { heap.Init((*order)(q)) }

// order is what container/heap wants to see of a queue.
type order queue

func (o *order) Len() int           { return len(o.buffers) }
func (o *order) Less(i, j int) bool { return o.less(o.buffers[i], o.buffers[j]) }

func (o *order) Swap(i, j int) {
	o.buffers[i], o.buffers[j] = o.buffers[j], o.buffers[i]
	o.buffers[i].index, o.buffers[j].index = i, j
}

func (o *order) Push(x any) {
	b := x.(*buffer)
	b.index = len(o.buffers)
	o.buffers = append(o.buffers, b)
}

func (o *order) Pop() any {
	last := len(o.buffers) - 1
	b := o.buffers[last]
	o.buffers[last] = nil
	o.buffers = o.buffers[:last]
	return b
}
