package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// journal is the least that a disk can cost: a message is written to a file and
// synced before the peer behind has it and before it is acknowledged. What
// comes within a few milliseconds shares a sync. Nothing is ever read back,
// nothing is noted when Salesforce has it, nothing is given back.
//
// It is the measure of what ours may cost with a disk: what books, recovery and
// tidying add to this.
type journal struct {
	peer
	file  *os.File
	every time.Duration
	done  chan struct{} // the loop has ended

	mu      sync.Mutex // guards what follows
	waiting []entrant
	wake    chan struct{}
	closed  bool
}

// entrant waits for a sync.
type entrant struct {
	message
	safe chan error
}

func newJournal(p peer, dir string, every time.Duration) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.Create(filepath.Join(dir, "journal"))
	if err != nil {
		return nil, err
	}
	j := &journal{peer: p, file: file, every: every, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	go j.loop()
	return j, nil
}

// add returns when m is safe.
func (j *journal) add(_ context.Context, m message) error {
	e := entrant{m, make(chan error, 1)}
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return os.ErrClosed
	}
	if j.waiting = append(j.waiting, e); len(j.waiting) == 1 {
		j.wake <- struct{}{} // the loop has taken the last one before it took what waited
	}
	j.mu.Unlock()
	return <-e.safe
}

// loop writes what has gathered in every, and hands it on.
func (j *journal) loop() {
	defer close(j.done)
	var frame []byte
	for range j.wake {
		time.Sleep(j.every)
		j.mu.Lock()
		group := j.waiting
		j.waiting = nil
		j.mu.Unlock()
		frame = frame[:0]
		for _, e := range group {
			frame = append(append(frame, e.call...), e.body...)
		}
		_, err := j.file.Write(frame)
		if err == nil {
			err = j.file.Sync()
		}
		for _, e := range group {
			if err == nil {
				err = j.peer.add(context.Background(), e.message)
			}
			e.safe <- err
		}
	}
}

func (j *journal) close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	close(j.wake)
	j.mu.Unlock()
	<-j.done
	j.file.Close()
	return j.peer.close(ctx)
}
