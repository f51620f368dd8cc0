package ingest

import (
	"crypto/sha256"
	"time"
)

// callKeyOf names a call: in Salesforce's eyes, its first vendorCallKey in an
// org.
type callKeyOf struct {
	org, key string
}

// messageHash stands for a message id, which may be long.
type messageHash [16]byte

func hashOf(messageID string) messageHash {
	sum := sha256.Sum256([]byte(messageID))
	return messageHash(sum[:16])
}

// call is what several streams have in common: transfers and legs whose
// transcript goes out under one key. Server.mu guards it.
type call struct {
	key     callKeyOf
	streams map[*stream]struct{}
	ids     map[messageHash]sighting // nil: none
	// sessions is the session that an engine began last, by the leg that it
	// speaks on: who sends again from the middle on does not say it. Nil: none.
	sessions map[string]string
	live     int  // how many of streams have not ended
	posts    int  // requests that wait for the spool
	marked   bool // the mark of its end is in the spool, or on its way
}

// sighting is when a message id was accepted. There is one for each utterance of
// the last minutes, so it is small.
type sighting struct {
	at   int64  // nanoseconds since 1970
	said uint32 // of an engine's words, a checksum; 0: not known
}

func (g *registry) call(k callKeyOf) *call {
	c := g.calls[k]
	if c == nil {
		c = &call{key: k, streams: map[*stream]struct{}{}}
		g.calls[k] = c
	}
	return c
}

func (g *registry) join(s *stream, c *call) {
	s.call = c
	c.streams[s] = struct{}{}
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
	s.call = nil
	delete(c.streams, s)
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
	if len(c.streams) == 0 && len(c.ids) == 0 && c.posts == 0 && g.calls[c.key] == c {
		delete(g.calls, c.key)
	}
}

// over reports whether every stream of the call has ended and all they brought
// is in the spool, except what is in the hands of owner.
func (c *call) over(owner *connection) bool {
	if c.live > 0 {
		return false
	}
	for s := range c.streams {
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

// seen reports whether a message with this id is safe, or is in the hands of
// owner, who will know when it is. One in other hands may yet fail: who sends
// it here is better served by a second copy, which carries the same id.
func (g *registry) seen(c *call, id messageHash, owner any) bool {
	if _, known := c.ids[id]; !known {
		return false
	}
	holder, held := g.holders[taken{c, id}]
	return !held || holder == owner
}

// remember notes that owner has taken in a message with this id; nil: that it
// is safe. It returns true where nothing else was waiting to expire: Run must be
// woken.
func (g *registry) remember(c *call, id messageHash, owner any, now time.Time) (first bool) {
	first = g.ids.len == 0
	at := now.UnixNano()
	if c.ids == nil {
		c.ids = map[messageHash]sighting{}
	}
	c.ids[id] = sighting{at: at}
	g.ids.push(remembered{taken{c, id}, at})
	if owner != nil {
		g.holders[taken{c, id}] = owner
	} else {
		delete(g.holders, taken{c, id})
	}
	return first
}

// note adds what was said under an id that is remembered.
func (c *call) note(id messageHash, said uint32) {
	at := c.ids[id]
	at.said = said
	c.ids[id] = at
}

// revises is true for words that are not those which were accepted under id.
func (c *call) revises(id messageHash, said uint32) bool {
	known := c.ids[id].said
	return known != 0 && known != said
}

// keep marks what owner has taken in as safe.
func (g *registry) keep(c *call, id messageHash, owner any) {
	if holder, held := g.holders[taken{c, id}]; held && holder == owner {
		delete(g.holders, taken{c, id})
	}
}

// drop forgets what owner has taken in and could not make safe.
func (g *registry) drop(c *call, id messageHash, owner any) {
	if holder, held := g.holders[taken{c, id}]; held && holder == owner {
		g.forgetID(taken{c, id})
	}
}

func (g *registry) forgetID(t taken) {
	delete(g.holders, t)
	delete(t.call.ids, t.id)
	g.tidy(t.call)
}
