package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// JetStream keeps the file that it writes to in memory as well, and in a buffer
// that is larger: of 32 KB or of 8 MB. Of each file that it has written it keeps
// a kilobyte. So small files take less memory where no more than some ten
// thousand of them come together within Config.Keep.
type fileSize int64

const (
	largeFiles fileSize = 0
	smallFiles fileSize = 64 << 10 // the limit of a stream for which JetStream makes them

	// smallPace is how many bytes a second go into small files at most: some
	// 7,000 utterances, and 64 files.
	smallPace = 2 << 20
)

// files is for a stream into which so many bytes a second are going to be
// written. An encrypted file has a key in a file of its own, which is synced too.
func (s *Spool) files(pace int) fileSize {
	if s.in == nil || s.cfg.Key != "" || pace > smallPace {
		return largeFiles
	}
	return smallFiles
}

// pace is how many bytes a second have come since the segment has some.
func (h *held) pace(now time.Time) int {
	return int(float64(h.bytes) / max(now.Sub(h.oldest).Seconds(), 1))
}

// makeStream makes the stream, or gives the one that is there its
// configuration. JetStream picks the size of the files by the limit that a
// stream is made with, and stays with it when that goes, until it is started
// anew. A stream that is there does not get the limit: at its size it would take
// nothing more.
func (s *store) makeStream(ctx context.Context, c jetstream.StreamConfig, files fileSize) error {
	if files == smallFiles {
		limited := c
		limited.MaxBytes = int64(smallFiles)
		if _, err := s.js.CreateStream(ctx, limited); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return err
		}
	}
	_, err := s.js.CreateOrUpdateStream(ctx, c)
	return err
}

// freeOfLimit takes the limit from a segment that a crash has left with it.
func (s *store) freeOfLimit(ctx context.Context, g segment) error {
	at, err := s.js.Stream(ctx, s.names.stream(g.stream()))
	if err == nil && at.CachedInfo().Config.MaxBytes > 0 {
		c := at.CachedInfo().Config
		c.MaxBytes = -1
		_, err = s.js.UpdateStream(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("look at the limit of the segment %s: %w", g.stream(), err)
	}
	return nil
}
