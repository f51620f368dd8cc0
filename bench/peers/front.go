package main

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"
)

// message is one utterance, rendered for Salesforce.
type message struct {
	call string
	body []byte
}

// front is the door: the native protocol as far as a load needs it.
type front struct {
	peer peer // nil: the floor
	org  *org
}

// stream is one open stream of a connection.
type stream struct {
	call     string
	speakers map[string]string // by channel: participant and sender type, as JSON fields
}

// session is one connection.
type session struct {
	front   *front
	ws      *websocket.Conn
	streams map[string]*stream
	batch   []message  // the floor's
	owed    acks       // the floor's
	mu      sync.Mutex // guards acked
	acked   acks
	wake    chan struct{}
}

// acks is the highest seq of each stream that is to be acknowledged.
type acks map[string]uint64

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := (&websocket.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 1024}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	s := &session{front: f, ws: ws, streams: map[string]*stream{}, acked: acks{}, owed: acks{}, wake: make(chan struct{}, 1)}
	var answering sync.WaitGroup
	answering.Go(s.answer)
	defer answering.Wait()
	defer close(s.wake)
	var frame bytes.Buffer
	for {
		_, reader, err := ws.NextReader()
		if err != nil {
			return
		}
		frame.Reset()
		if _, err := frame.ReadFrom(reader); err != nil {
			return
		}
		if err := s.take(r, frame.Bytes()); err != nil {
			return
		}
	}
}

// take handles one message of the protocol.
func (s *session) take(r *http.Request, frame []byte) error {
	if !gjson.ValidBytes(frame) { // or one client's frame would spoil the bodies of others
		return errors.New("not JSON")
	}
	var u utterance
	gjson.ParseBytes(frame).ForEach(u.field)
	switch u.kind {
	case "open":
		s.streams[u.stream] = newStream(gjson.ParseBytes(frame))
	case "close":
		delete(s.streams, u.stream)
	case "utterance":
		st := s.streams[u.stream]
		if st == nil {
			return nil
		}
		m := message{st.call, u.render(st)}
		if s.front.peer == nil {
			return s.floor(r, u, m)
		}
		if err := s.front.peer.add(r.Context(), m); err != nil {
			return err
		}
		s.mu.Lock()
		s.acked[u.stream] = u.seq
		s.mu.Unlock()
		s.signal()
	}
	return nil
}

// floor sends every 25 messages at once, from the reader itself, and only
// then acknowledges them: the load must bring a multiple of 25 a connection.
func (s *session) floor(r *http.Request, u utterance, m message) error {
	s.batch, s.owed[u.stream] = append(s.batch, m), u.seq
	if len(s.batch) < 25 {
		return nil
	}
	if err := s.front.org.bulk(r.Context(), s.batch); err != nil {
		return err
	}
	s.batch = s.batch[:0]
	s.mu.Lock()
	for stream, seq := range s.owed {
		s.acked[stream] = seq
	}
	s.mu.Unlock()
	clear(s.owed)
	s.signal()
	return nil
}

func (s *session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// answer writes one ack a stream for whatever has gathered.
func (s *session) answer() {
	var b []byte
	for range s.wake {
		s.mu.Lock()
		due := s.acked
		s.acked = acks{}
		s.mu.Unlock()
		for stream, seq := range due {
			b = append(append(b[:0], `{"type":"ack","stream":"`...), stream...)
			b = append(strconv.AppendUint(append(b, `","seq":`...), seq, 10), '}')
			if s.ws.WriteMessage(websocket.TextMessage, b) != nil {
				break
			}
		}
	}
}

func newStream(open gjson.Result) *stream {
	st := &stream{call: open.Get("vendorCallKey").Str, speakers: map[string]string{}}
	open.Get("channels").ForEach(func(channel, who gjson.Result) bool {
		kind, id := who.Get("senderType").Str, who.Get("participantId").Str
		if id == "" {
			id = st.call + kind
		}
		st.speakers[channel.Str] = `,"participantId":"` + id + `","senderType":"` + kind + `","messageId":`
		return true
	})
	return st
}

// utterance is one, not decoded further than it must be: what Salesforce gets
// as it came stays JSON.
type utterance struct {
	kind, stream, channel          string
	seq                            uint64
	start, end, messageID, content string
}

func (u *utterance) field(key, value gjson.Result) bool {
	switch key.Str {
	case "type":
		u.kind = value.Str
	case "stream":
		u.stream = value.Str
	case "seq":
		u.seq = value.Uint()
	case "channel":
		u.channel = value.Str
	case "startTime":
		u.start = value.Raw
	case "endTime":
		u.end = value.Raw
	case "messageId":
		u.messageID = value.Raw
	case "content":
		u.content = value.Raw
	}
	return true
}

func (u *utterance) render(st *stream) []byte {
	who := st.speakers[u.channel]
	b := make([]byte, 0, 64+len(u.start)+len(u.end)+len(who)+len(u.messageID)+len(u.content))
	b = append(append(b, `{"startTime":`...), u.start...)
	b = append(append(b, `,"endTime":`...), u.end...)
	b = append(append(b, who...), u.messageID...)
	b = append(append(b, `,"content":`...), u.content...)
	return append(b, '}')
}
