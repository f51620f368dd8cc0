package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/bench/workload"
)

// agentID is the Salesforce user that speaks as the agent of every call.
const agentID = "005xx000001Sv6AAAS"

// speaker is one connection and the calls on it. It writes frames by hand,
// many in one write where they are due together: what a generator spends is
// taken from what it measures.
type speaker struct {
	ws    *websocket.Conn // read by listen alone
	raw   net.Conn        // the same connection, for writing
	begin time.Time       // of the load, on the clock
	key   string          // what comes before a call's number in its key

	frames  []byte // not yet written
	payload []byte // scratch
	said    uint64 // utterances

	mu      sync.Mutex // guards what follows
	calls   map[int]*spoken
	acks    histogram
	unacked int
	nacks   uint64
	err     error         // why nothing comes any more
	room    chan struct{} // size 1: something was acknowledged
}

// spoken is what was said in one call.
type spoken struct {
	seq     uint64
	acked   uint64
	due     []time.Duration // of what is not acknowledged
	closing bool
}

func dial(ctx context.Context, url, token, key string) (*speaker, error) {
	header := http.Header{}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	d := websocket.Dialer{HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 256}
	ws, response, err := d.DialContext(ctx, url, header)
	if err != nil {
		if response != nil {
			return nil, fmt.Errorf("connect to the door: %s: %w", response.Status, err)
		}
		return nil, fmt.Errorf("connect to the door: %w", err)
	}
	s := &speaker{ws: ws, raw: ws.NetConn(), key: key, calls: map[int]*spoken{}, room: make(chan struct{}, 1)}
	// The library's own pong would set a deadline under the writes of others.
	ws.SetPingHandler(func(data string) error {
		_, err := s.raw.Write(append([]byte{0x8a, 0x80 | byte(len(data)), 0, 0, 0, 0}, data...))
		return err
	})
	return s, nil
}

// open queues the opening of a call's stream.
func (s *speaker) open(call int) *spoken {
	c := &spoken{}
	s.mu.Lock()
	s.calls[call] = c
	s.mu.Unlock()
	s.frame(fmt.Appendf(s.payload[:0],
		`{"type":"open","stream":"%d","vendorCallKey":"%s%d","channels":{"agent":{"participantId":"%s","senderType":"HUMAN_AGENT"},"caller":{"senderType":"END_USER"}}}`,
		call, s.key, call, agentID))
	return c
}

// say queues one utterance, and the end of its call where it is the last.
func (s *speaker) say(u *Utterance) {
	s.mu.Lock()
	c := s.calls[u.Call]
	s.mu.Unlock()
	if c == nil {
		c = s.open(u.Call)
	}
	s.mu.Lock()
	c.seq++
	c.due = append(c.due, u.Due)
	c.closing = u.Last
	s.unacked++
	s.mu.Unlock()
	s.said++
	s.frame(s.utterance(s.payload[:0], u, c.seq))
	if u.Last {
		s.end(u.Call)
	}
}

// utterance renders u as a message of the protocol.
func (s *speaker) utterance(b []byte, u *Utterance, seq uint64) []byte {
	b = append(b, `{"type":"utterance","stream":"`...)
	b = strconv.AppendInt(b, int64(u.Call), 10)
	b = append(b, `","seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"messageId":"`...)
	b = mark{u.Call, seq, u.Due, u.Urgent}.append(b)
	if u.Role == workload.Agent {
		b = append(b, `","channel":"agent","startTime":`...)
	} else {
		b = append(b, `","channel":"caller","startTime":`...)
	}
	b = strconv.AppendInt(b, s.begin.Add(u.From).UnixMilli(), 10)
	b = append(b, `,"endTime":`...)
	b = strconv.AppendInt(b, s.begin.Add(u.To).UnixMilli(), 10)
	if u.Urgent {
		b = append(b, `,"urgent":true`...)
	}
	b = append(b, `,"content":`...)
	text, err := json.Marshal(u.Text)
	if err != nil {
		panic("BUG: a text cannot be encoded: " + err.Error())
	}
	return append(append(b, text...), '}')
}

// end queues the end of a call.
func (s *speaker) end(call int) {
	s.frame(fmt.Appendf(s.payload[:0], `{"type":"close","stream":"%d","reason":"end"}`, call))
}

// frame queues one text frame of a client. Its mask is four zero bytes: masked
// as the RFC demands, and nothing to compute.
func (s *speaker) frame(payload []byte) {
	s.payload = payload
	s.frames = append(s.frames, 0x81)
	if len(payload) < 126 {
		s.frames = append(s.frames, 0x80|byte(len(payload)))
	} else if len(payload) < 1<<16 {
		s.frames = append(s.frames, 0x80|126)
		s.frames = binary.BigEndian.AppendUint16(s.frames, uint16(len(payload)))
	} else {
		s.frames = append(s.frames, 0x80|127)
		s.frames = binary.BigEndian.AppendUint64(s.frames, uint64(len(payload)))
	}
	s.frames = append(s.frames, 0, 0, 0, 0)
	s.frames = append(s.frames, payload...)
}

// flush writes what is queued.
func (s *speaker) flush() error {
	if len(s.frames) == 0 {
		return nil
	}
	_, err := s.raw.Write(s.frames)
	s.frames = s.frames[:0]
	if cap(s.frames) > 64<<10 {
		s.frames = nil
	}
	return err
}

// listen reads what the daemon says until the connection ends.
func (s *speaker) listen() {
	var buf bytes.Buffer
	for {
		_, r, err := s.ws.NextReader()
		if err == nil {
			buf.Reset()
			_, err = buf.ReadFrom(r)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			s.wake()
			return
		}
		s.hear(buf.Bytes())
	}
}

func (s *speaker) wake() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// answer is a message of the daemon.
type answer struct {
	Type   string `json:"type"`
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	Acked  uint64 `json:"acked"`
}

func (s *speaker) hear(message []byte) {
	a, ok := quickAck(message)
	if !ok && json.Unmarshal(message, &a) != nil {
		return
	}
	call, err := strconv.Atoi(a.Stream)
	if err != nil {
		return
	}
	now := time.Since(s.begin)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.calls[call]
	switch {
	case c == nil:
	case a.Type == "ack":
		s.acknowledge(c, a.Seq, now)
	case a.Type == "nack":
		s.nacks++
	case a.Type == "closed":
		s.acknowledge(c, a.Acked, now)
		delete(s.calls, call)
	}
	s.wake()
}

// acknowledge books everything up to seq. The lock is held.
func (s *speaker) acknowledge(c *spoken, seq uint64, now time.Duration) {
	n := 0
	for ; n < len(c.due) && c.acked < seq; n++ {
		c.acked++
		s.acks.add(now - c.due[n])
	}
	s.unacked -= n
	c.due = c.due[n:]
}

// quickAck reads the most frequent answer without reflection.
func quickAck(b []byte) (answer, bool) {
	rest, ok := bytes.CutPrefix(b, []byte(`{"type":"ack","stream":"`))
	if !ok {
		return answer{}, false
	}
	stream, rest, ok := bytes.Cut(rest, []byte(`","seq":`))
	if !ok {
		return answer{}, false
	}
	seq, ok := digits(bytes.TrimSuffix(rest, []byte("}")))
	return answer{Type: "ack", Stream: string(stream), Seq: seq}, ok
}

// pending is how much is not acknowledged, and why no more ever will be.
func (s *speaker) pending() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unacked, s.err
}
