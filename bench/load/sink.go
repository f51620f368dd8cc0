package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Sink is a Salesforce that gives a token to everyone and takes every legal
// request, after a time. It does no more than the measuring needs, so that it
// costs little beside what is measured: a goroutine a connection, no server.
type Sink struct {
	listener net.Listener
	book     *book
	median   time.Duration
	spread   float64

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu
	done  bool                  // guarded by mu
	wait  sync.WaitGroup
}

// Answer says how long the sink takes to answer: Median, or evenly from
// Median×(1-Spread) to Median×(1+Spread).
type Answer struct {
	Median time.Duration `help:"How long the simulated Salesforce takes to answer." default:"100ms" name:"answer-time"`
	Spread float64       `help:"By what share an answer may be faster or slower, evenly." default:"0.5" name:"answer-spread"`
}

// OpenSink listens at address and serves until it is closed. Prefix begins the
// key of every call of the load.
func OpenSink(address, prefix string, a Answer) (*Sink, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open the sink: %w", err)
	}
	s := &Sink{
		listener: l, book: &book{prefix: []byte(prefix), begin: time.Now()}, median: a.Median, spread: a.Spread,
		conns: map[net.Conn]struct{}{},
	}
	s.wait.Go(s.accept)
	return s, nil
}

// URL is what the daemon has as its login URL.
func (s *Sink) URL() string { return "http://" + s.listener.Addr().String() }

// Close ends the sink and every connection to it.
func (s *Sink) Close() {
	s.mu.Lock()
	s.done = true
	s.listener.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

func (s *Sink) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.done {
			c.Close()
		} else {
			s.conns[c] = struct{}{}
			s.wait.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *Sink) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 32<<10)
	var body []byte
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if body, err = readBody(req, body[:0]); err != nil {
			return
		}
		status, answer := s.take(req.URL.Path, body)
		if _, err := fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(answer), answer); err != nil {
			return
		}
	}
}

// maxBody is far above what 25 messages take.
const maxBody = 16 << 20

// readBody appends a request's body to buf.
func readBody(req *http.Request, buf []byte) ([]byte, error) {
	if req.ContentLength < 0 {
		b, err := io.ReadAll(io.LimitReader(req.Body, maxBody))
		return append(buf, b...), err
	}
	n := int(req.ContentLength)
	if n > maxBody {
		return nil, errors.New("a body is too large")
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err := io.ReadFull(req.Body, buf[:n])
	return buf[:n], err
}

const (
	accepted = `{"success":true,"data":{"result":"Accepted"},"errors":[]}`
	tooMany  = `{"success":false,"data":null,"errors":["at most 5 entries of 5 messages"]}`
)

// take handles one request, and returns when it is time to answer.
func (s *Sink) take(path string, body []byte) (status, answer string) {
	bulk, single := strings.HasSuffix(path, "/createBulkTranscriptMessages"), strings.HasSuffix(path, "/createTranscriptMessage")
	switch {
	case strings.HasSuffix(path, "/token"):
		return "200 OK", fmt.Sprintf(`{"access_token":"load","instance_url":%q,"token_type":"Bearer"}`, s.URL())
	case !bulk && !single: // limits too: the load knows no daily budget
		return "404 Not Found", `[{"errorCode":"NOT_FOUND","message":"the sink does not have that"}]`
	}
	at := s.book.now()
	r := s.book.read(body, single)
	s.book.arrived(r, single, at)
	if s.median > 0 {
		time.Sleep(time.Duration(float64(s.median) * (1 + s.spread*(2*rand.Float64()-1))))
	}
	s.book.answered(r)
	if !r.legal {
		return "400 Bad Request", tooMany
	}
	return "200 OK", accepted
}
