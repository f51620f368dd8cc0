package durable

import (
	"iter"

	"example.com/steno/batcher/spool"
)

// queue is first in, first out. It gives its memory back when it is empty.
type queue struct {
	items []*spool.Record
	next  int // items[next] is the head
}

func (q *queue) len() int { return len(q.items) - q.next }

func (q *queue) head() *spool.Record { return q.items[q.next] }

// push moves what is left to the front where that makes room for as much again.
func (q *queue) push(r *spool.Record) {
	if len(q.items) == cap(q.items) && q.next > len(q.items)/2 {
		n := copy(q.items, q.items[q.next:])
		clear(q.items[n:])
		q.items, q.next = q.items[:n], 0
	}
	q.items = append(q.items, r)
}

func (q *queue) pop() *spool.Record {
	r := q.items[q.next]
	q.items[q.next] = nil
	q.next++
	if q.next == len(q.items) {
		q.items, q.next = q.items[:0], 0
		if cap(q.items) > 1024 {
			q.items = nil
		}
	}
	return r
}

func (q *queue) all() iter.Seq[*spool.Record] {
	return func(yield func(*spool.Record) bool) {
		for i := q.next; i < len(q.items); i++ {
			if !yield(q.items[i]) {
				return
			}
		}
	}
}
