package ingest

import "time"

// callKeyOf names a call: in Salesforce's eyes, its first vendorCallKey in an
// org.
type callKeyOf struct {
	org, key string
}

// call is what several streams have in common: transfers and legs whose
// transcript goes out under one key. Server.mu guards it.
type call struct {
	key     callKeyOf
	streams []*stream // in no order: each knows its seat, and most calls have one or two
	ids     index     // where in the registry's log its message ids are
	number  uint32    // the log's name for it; 0: it has none
	// sessions is the session that an engine began last, by the leg that it
	// speaks on: who sends again from the middle on does not say it. Nil: none.
	sessions map[string]string
	live     int  // how many of streams have not ended
	posts    int  // requests that wait for the spool
	marked   bool // the mark of its end is in the spool, or on its way
}

func (g *registry) call(k callKeyOf) *call {
	c := g.calls[k]
	if c == nil {
		c = &call{key: k}
		g.calls[k] = c
	}
	return c
}

func (g *registry) join(s *stream, c *call) {
	s.call, s.seat = c, len(c.streams)
	c.streams = append(c.streams, s)
	if !s.ended {
		c.marked = false
		g.live(c, 1)
	}
}

func (g *registry) leave(s *stream) {
	c := s.call
	if c == nil {
		return
	}
	last := len(c.streams) - 1
	c.streams[s.seat] = c.streams[last]
	c.streams[s.seat].seat = s.seat
	c.streams[last] = nil
	c.streams, s.call = c.streams[:last], nil
	if !s.ended {
		g.live(c, -1)
	}
	g.tidy(c)
}

// live counts streams of c in or out that may still bring something (G5).
func (g *registry) live(c *call, by int) {
	was := c.live > 0
	c.live += by
	switch is := c.live > 0; {
	case is && !was:
		g.active++
	case was && !is:
		g.active--
	}
}

// end ends a stream, which is not safe yet.
func (g *registry) end(s *stream) {
	if !s.ended {
		s.end()
		g.live(s.call, -1)
	}
}

// rollback forgets what of a stream is not safe.
func (g *registry) rollback(s *stream) {
	was := s.ended
	s.rollback()
	if was && !s.ended {
		g.live(s.call, 1)
	}
}

// tidy keeps G4.
func (g *registry) tidy(c *call) {
	if len(c.streams) == 0 && c.ids.used == 0 && c.posts == 0 && g.calls[c.key] == c {
		delete(g.calls, c.key)
	}
}

// over reports whether every stream of the call has ended and all they brought
// is in the spool, except what is in the hands of owner.
func (c *call) over(owner *connection) bool {
	if c.live > 0 {
		return false
	}
	for _, s := range c.streams {
		if !s.endSafe && (!s.ended || s.owner != owner) {
			return false
		}
	}
	return true
}

// begin notes that an engine has begun a session on a leg.
func (c *call) begin(leg, session string) {
	if c.sessions == nil {
		c.sessions = map[string]string{}
	}
	c.sessions[leg] = session
}

// holder is the next one's number.
func (g *registry) holder() holder {
	if g.holders++; g.holders == 0 {
		g.holders = 1
	}
	return g.holders
}

// seen reports whether a message with this id is safe, or is in the hands of
// owner, who will know when it is. One in other hands may yet fail: who sends
// it here is better served by a second copy, which carries the same id.
func (g *registry) seen(c *call, id messageHash, owner holder) bool {
	p, known := g.ids.find(c, id)
	if !known {
		return false
	}
	by := g.ids.inHand(p)
	return by == 0 || by == owner
}

// remember notes that owner has taken in a message with this id; 0: that it is
// safe. First is true where nothing else was waiting to expire: Run must be woken.
func (g *registry) remember(c *call, id messageHash, owner holder, now time.Time) (p place, first bool) {
	first = g.ids.len() == 0
	return g.ids.note(c, id, owner, now), first
}

// say adds what was said under an id that has just been remembered.
func (g *registry) say(p place, said uint32) { g.ids.at(p).said = said }

// revises is true for words that are not those which were accepted under id.
func (g *registry) revises(c *call, id messageHash, said uint32) bool {
	p, known := g.ids.find(c, id)
	return known && g.ids.at(p).said != 0 && g.ids.at(p).said != said
}

// keep marks what owner has taken in as safe.
func (g *registry) keep(p place, owner holder) {
	if g.ids.inHand(p) == owner {
		g.ids.letGo(p)
	}
}

// drop forgets what owner has taken in and could not make safe.
func (g *registry) drop(p place, owner holder) {
	if g.ids.inHand(p) == owner {
		g.tidy(g.ids.remove(p))
	}
}
