package spool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a Spool that forgets everything when the process ends. For tests,
// and for those who would rather lose speech than write it to a disk.
//
//	M1  queue holds every unsettled record and nothing before the first of them
//	M2  queue[0] has position base; positions have no holes
//	M3  read counts the records of queue that Read has returned
//	M4  memory is proportional to the span from the oldest unsettled record
//	M5  records are never moved: a backlog of a million costs what it holds
type Memory struct {
	mu       sync.Mutex
	queue    slots // guarded by mu
	base     Position
	read     int
	account  Account
	pending  uint64 // counted record by record, not from account: the law is a check, not a definition
	letters  letterbox
	closed   bool
	appended chan struct{} // size 1: a token says that Read has something to do
}

// slot is one record and whether it is settled: then it is nil, unless it is a
// mark.
type slot struct {
	record  *Record
	settled bool
}

// slots is a queue of slots, in blocks that are made and dropped whole (M5).
type slots struct {
	blocks      []*[blockSize]slot
	first, last int // of what is in it, counted from the first block's beginning; last is excluded
}

const blockSize = 256

func (q *slots) len() int { return q.last - q.first }

func (q *slots) at(i int) *slot {
	i += q.first
	return &q.blocks[i/blockSize][i%blockSize]
}

func (q *slots) push(s slot) {
	if q.last == len(q.blocks)*blockSize {
		q.blocks = append(q.blocks, new([blockSize]slot))
	}
	q.last++
	*q.at(q.len() - 1) = s
}

func (q *slots) pop() {
	*q.at(0) = slot{}
	if q.first++; q.first == blockSize {
		q.blocks = slices.Delete(q.blocks, 0, 1)
		q.first, q.last = 0, q.last-blockSize
	}
}

// NewMemory returns an empty spool in memory.
func NewMemory() *Memory {
	return &Memory{base: 1, account: Account{Rejected: map[string]uint64{}}, appended: make(chan struct{}, 1)}
}

// Append stores the group. In memory it is as safe at once as it will ever be.
func (m *Memory) Append(ctx context.Context, group []*Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	m.append(group)
	return nil
}

func (m *Memory) append(group []*Record) {
	for _, r := range group {
		r.Position = m.base + Position(m.queue.len())
		m.queue.push(slot{record: r})
		if !r.Ended {
			m.account.Accepted++
			m.account.Bytes += uint64(len(r.Message))
			m.pending++
		}
	}
	m.wake()
}

// wake lets a waiting Read look again.
func (m *Memory) wake() {
	select {
	case m.appended <- struct{}{}:
	default:
	}
}

// Read puts the oldest records that it has not returned yet into buf.
func (m *Memory) Read(ctx context.Context, buf []*Record) (int, error) {
	for {
		n, closed := m.take(buf)
		switch {
		case n > 0:
			return n, nil
		case closed:
			return 0, ErrClosed
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		}
		select {
		case <-m.appended:
		case <-ctx.Done():
		}
	}
}

func (m *Memory) take(buf []*Record) (n int, closed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n < len(buf) && m.read < m.queue.len() {
		buf[n] = m.queue.at(m.read).record
		n++
		m.read++
	}
	return n, m.closed
}

// Settle counts the records' fates and gives back the memory of those that
// nothing older holds.
func (m *Memory) Settle(settled ...Settlement) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for _, s := range settled {
		if err := m.settle(s); err != nil {
			return err
		}
	}
	m.trim()
	return nil
}

func (m *Memory) settle(s Settlement) error {
	if s.Position < m.base || s.Position >= m.base+Position(m.read) {
		return fmt.Errorf("settle position %d: not among the %d read and unsettled from %d on", s.Position, m.read, m.base)
	}
	at := m.queue.at(int(s.Position - m.base))
	if at.settled {
		return fmt.Errorf("settle position %d: settled already", s.Position)
	}
	at.settled = true
	if at.record.Ended {
		return nil
	}
	if s.Rejected == "" {
		m.account.Delivered++
	} else {
		m.account.Rejected[s.Rejected]++
	}
	if s.Dead != nil {
		m.letters.keep(*s.Dead)
	}
	m.account.Bytes -= uint64(len(at.record.Message))
	m.pending--
	at.record = nil
	return nil
}

// trim drops the settled head of the queue (M4).
func (m *Memory) trim() {
	for m.read > 0 && m.queue.at(0).settled {
		m.queue.pop()
		m.base++
		m.read--
	}
}

// Recover finds nothing: there is no before.
func (m *Memory) Recover(context.Context) (Recovery, error) { return Recovery{}, nil }

// Forget has nothing to drop.
func (m *Memory) Forget(StreamID) error { return nil }

// Account returns the sums of this moment.
func (m *Memory) Account() Account {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.account
	a.Rejected = maps.Clone(a.Rejected)
	a.Pending = m.pending
	a.Oldest = m.oldest()
	return a
}

// oldest looks for the first unsettled utterance. A mark counts for nothing.
func (m *Memory) oldest() time.Time {
	for i := range m.queue.len() {
		if s := m.queue.at(i); !s.settled && !s.record.Ended {
			return s.record.Received
		}
	}
	return time.Time{}
}

// Health finds nothing that could fail but having been closed.
func (m *Memory) Health() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	return nil
}

// Close ends every waiting Read and refuses what comes after it.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.queue, m.read, m.letters = slots{}, 0, letterbox{}
	m.wake()
	return nil
}
