package durable

import "time"

// TidyNow has the tidy loop do its work as for a full spool, twice: the second
// time it finds the segment closed that the first one wanted closed.
func TidyNow(s *Spool) {
	tidy := func() {
		for range 3 { // the channel holds one: the third goes in once the first is done
			s.full <- struct{}{}
		}
	}
	tidy()
	for s.rollIsDue() {
		<-time.After(time.Millisecond)
	}
	tidy()
}

func (s *Spool) rollIsDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rollDue
}
