package ingest

// fifo is first in, first out. It lies in chunks, so that a long one is not
// copied to grow, with everybody waiting for the lock, and gives its memory back
// as it gets shorter.
type fifo[T any] struct {
	chunks [][]T // none is empty, except that of a fifo that is, which keeps it; only the last has room
	next   int   // chunks[0][next] is the head
	len    int
}

const fifoChunk = 512

func (q *fifo[T]) push(v T) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last]) == fifoChunk {
		q.chunks = append(q.chunks, make([]T, 0, fifoChunk))
		last++
	}
	q.chunks[last] = append(q.chunks[last], v)
	q.len++
}

// tail is the newest; there must be one.
func (q *fifo[T]) tail() *T { return q.at(q.len - 1) }

// head is the oldest; there must be one.
func (q *fifo[T]) head() *T { return &q.chunks[0][q.next] }

// at is the one behind the head after i others, which must be there.
func (q *fifo[T]) at(i int) *T {
	i += q.next
	return &q.chunks[i/fifoChunk][i%fifoChunk]
}

func (q *fifo[T]) pop() T {
	v := *q.head()
	*q.head() = *new(T)
	q.next++
	q.len--
	if q.next == len(q.chunks[0]) {
		q.next = 0
		if q.len == 0 {
			q.chunks[0] = q.chunks[0][:0]
		} else {
			q.chunks[0] = nil
			q.chunks = q.chunks[1:]
		}
	}
	return v
}
