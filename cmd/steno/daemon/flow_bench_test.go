package daemon

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

// BenchmarkFlow is the way from a spool in memory that holds a backlog, to an
// org that answers at once: batcher, sfclient, monitor and metrics, wired as the
// daemon is. The floor puts the same messages into the same requests and posts
// them, and does nothing else. The machine is shared and its speed is anybody's:
// what counts is how far one is above the other in the same run, in CPU time.
//
//	go test ./cmd/steno/daemon -run '^$' -bench Flow -benchtime 200000x -count 6 -cpu 1
//
// The org runs in the same process, allocates nothing, and costs both the same.
func BenchmarkFlow(b *testing.B) {
	for _, shape := range []shape{{"5x5", 25}, {"5x1", 5}} {
		b.Run("of=daemon/request="+shape.name, func(b *testing.B) { shape.run(b, daemonFlow) })
		b.Run("of=floor/request="+shape.name, func(b *testing.B) { shape.run(b, floorFlow) })
	}
}

// shape is how full the requests are.
type shape struct {
	name string
	full int // utterances in a request
}

// run measures flow with b.N utterances.
func (s shape) run(b *testing.B, flow func(b *testing.B, url string, backlog []*spool.Record, full int)) {
	org := openYesOrg(b)
	backlog := s.backlog(b.N)
	b.ReportAllocs()
	begun := cpuTime()
	flow(b, org.url, backlog, s.full)
	b.StopTimer()
	b.ReportMetric(float64(cpuTime()-begun)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/float64(org.requests.Load()), "utterances/request")
}

// backlog is n utterances, of calls that take turns or of a call each.
func (s shape) backlog(n int) []*spool.Record {
	calls := 1000
	if s.full == 5 {
		calls = n
	}
	now := time.Now()
	backlog := make([]*spool.Record, n)
	for i := range backlog {
		call := fmt.Sprintf("b09955ce-03be-4335-a288-%012d", i%calls)
		id := fmt.Sprintf("57904eb6-5352-4c5e-adf6-%012d", i)
		message := fmt.Sprintf(`{"startTime":1573503300000,"endTime":1573503300001,"participantId":"%sEND_USER","messageId":%q,"senderType":"END_USER","content":%q}`,
			call, id, strings.Repeat("Hello All ", 6))
		backlog[i] = &spool.Record{
			Call: call, Stream: spool.StreamID{Call: call, ID: "leg"}, Seq: uint64(i/calls + 1), MessageID: id,
			Speaker: call + "END_USER", Spoken: now, Received: now, Message: []byte(message),
		}
	}
	return backlog
}

// daemonFlow sends a backlog as the daemon does.
func daemonFlow(b *testing.B, url string, backlog []*spool.Record, _ int) {
	settings, err := ParseSettings([]string{
		"STENO_SF_LOGIN_URL=" + url, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush",
		"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_SPOOL_DIR=" + InMemory,
	})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	kept := spool.NewMemory()
	if err := kept.Append(b.Context(), backlog); err != nil {
		b.Fatal(err)
	}
	p, err := newPipeline(b.Context(), pipelineConfig{settings: settings, log: log, spool: kept})
	if err != nil {
		b.Fatal(err)
	}
	defer p.client.CloseIdleConnections()
	drained, drain := context.WithCancel(b.Context())
	drain()
	b.ResetTimer()
	if err := p.batcher.Run(drained, b.Context()); err != nil {
		b.Fatal(err)
	}
	if a := kept.Account(); a.Delivered != uint64(len(backlog)) {
		b.Fatalf("%d of %d delivered", a.Delivered, len(backlog))
	}
}

// floorFlow splices a backlog and posts it, as many requests at once as the
// daemon has.
func floorFlow(b *testing.B, url string, backlog []*spool.Record, full int) {
	const inFlight = 64
	transport := &http.Transport{MaxIdleConnsPerHost: inFlight, WriteBufferSize: 32 << 10, DisableCompression: true}
	defer transport.CloseIdleConnections()
	var next atomic.Int64
	var posting sync.WaitGroup
	b.ResetTimer()
	for range inFlight {
		posting.Go(func() {
			for {
				to := int(next.Add(int64(full)))
				from := to - full
				if from >= len(backlog) {
					return
				}
				if err := postFloor(transport, url, backlog[from:min(to, len(backlog))]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	posting.Wait()
}

// postFloor makes one request of messages, five an entry.
func postFloor(transport *http.Transport, url string, messages []*spool.Record) error {
	size := 256
	for i := range messages {
		size += len(messages[i].Message) + 96
	}
	body := append(make([]byte, 0, size), `{"callCenterDevName":"center","certDevName":"cert","entries":[`...)
	for i := range messages {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, `{"vendorCallKey":"`...), messages[i].Call...), `","messages":[`...)
		body = append(append(body, messages[i].Message...), "]}"...)
	}
	req, err := http.NewRequest(http.MethodPost, url+"/services/apexrest/cnxscv/voice/v1/createBulkTranscriptMessages", bytes.NewReader(append(body, "]}"...)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer load")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// cpuTime is what the process has used so far, in nanoseconds.
func cpuTime() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: the process may not ask for its own CPU time: " + err.Error())
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// yesOrg takes every request at once and reads none of them.
type yesOrg struct {
	url      string
	requests atomic.Int64 // of transcripts
}

func openYesOrg(b *testing.B) *yesOrg {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	o := &yesOrg{url: "http://" + l.Addr().String()}
	var serving sync.WaitGroup
	serving.Go(func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			serving.Go(func() {
				defer c.Close()
				o.serve(c)
			})
		}
	})
	b.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return o
}

// serve answers one connection's requests until it ends. It knows just enough
// HTTP for that: an answer is due where a body has ended.
func (o *yesOrg) serve(c net.Conn) {
	const yes = `{"data":{"result":"Accepted"},"errors":null,"success":true}`
	token := fmt.Sprintf(`{"access_token":"t","instance_url":%q}`, o.url)
	say := func(body string) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	yesAnswer, tokenAnswer := say(yes), say(token)
	r := bufio.NewReaderSize(c, 32<<10)
	answer, length := yesAnswer, 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		} else if bytes.HasPrefix(line, []byte("POST "+"/services/oauth2/token")) {
			answer = tokenAnswer
		} else if len(line) == len("\r\n") {
			if _, err := r.Discard(length); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
			if &answer[0] == &yesAnswer[0] {
				o.requests.Add(1)
			}
			answer, length = yesAnswer, 0
		}
	}
}
