package durable

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// takeOver leaves a frame without records at the end of an external store,
// before it is read: whoever had it before publishes against a sequence that is
// not the last one any more, and is refused (E4) although it may not know yet
// that the spool is another's. What it had published until then is read.
func (s *Spool) takeOver(ctx context.Context) error {
	h := header{writer: s.writer, first: 1}
	data := beginFrame(nil)
	endFrame(data, h)
	at := s.segments.current()
	for begun := time.Now(); ; rest(ctx, requestTimeout/20) {
		state, err := s.store.state(ctx, at.stream())
		if ours := s.ours(); ours != nil {
			return ours
		}
		if err == nil {
			_, err = s.store.publish(ctx, at.subject(0), fmt.Sprintf("opening/%016x", s.writer), data, jetstream.WithExpectLastSequence(state.LastSeq))
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || time.Since(begun) > 5*requestTimeout { // a new stream's leader may not be elected yet, nor an old one's again
			return fmt.Errorf("take the spool over: %w", err)
		}
	}
}
