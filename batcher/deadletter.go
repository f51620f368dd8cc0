package batcher

import (
	"strings"
	"time"

	"example.com/steno/batcher/spool"
)

// deadLetter is what is kept of an utterance that was rejected; nil: it was
// delivered.
func deadLetter(now time.Time, s *Settled, sent time.Time) *spool.DeadLetter {
	if s.Rejected == "" {
		return nil
	}
	return &spool.DeadLetter{
		Record: *s.Record, Reason: s.Rejected, Words: shortened(s.Words), Attempts: s.Attempts, Ambiguous: s.Ambiguous,
		Sent: sent, Rejected: now,
	}
}

// shortened cuts words to what is kept of them, in valid UTF-8.
func shortened(words string) string {
	if len(words) > spool.MaxWords {
		words = words[:spool.MaxWords]
	}
	return strings.ToValidUTF8(words, "")
}
