// Command peers is what a user could run in Steno's place: the same door, the
// same messages, the same org, and somebody else's idea of what lies between.
//
//	stenolab load … -- peers single    one request a message, a queue a call
//	stenolab load … -- peers lambda    as Salesforce's own lambdas: 5 records or 1 s, 4 lanes, no retry
//	stenolab load … -- peers bundler   google.golang.org/api/support/bundler
//	stenolab load … -- peers elastic   go-elasticsearch's esutil.BulkIndexer on a transport of ours
//	stenolab load … -- peers otel      OpenTelemetry Collector's exporterhelper: queue, batcher, storage
//	stenolab load … -- peers sketch    5 calls × 5 messages, a call in one request at most, and nothing else
//	stenolab load … -- peers floor     read, decode, splice, POST, and nothing else
//	stenolab load … -- peers -sync 4ms sketch    and the least that a disk costs
//
// It is a module of its own, so that what it depends on never reaches a user
// of Steno. It takes its addresses from the variables that steno takes them
// from. All but floor acknowledge an utterance once their queue has it; only
// otel's is on a disk, and whoever's with -sync.
//
// The door (front.go) and the POST (org.go) are the same for all and as lean as
// we could make them: what differs is the batching.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// peer takes messages from many connections at once.
type peer interface {
	// add returns when the peer has the message; it may wait.
	add(ctx context.Context, m message) error
	// close returns when all that was added has been sent or given up.
	close(ctx context.Context) error
}

// knobs are what the peers have in common.
type knobs struct {
	flight int           // requests at once
	wait   time.Duration // for company
	sync   time.Duration // for company in the journal; 0: no journal
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var k knobs
	flag.IntVar(&k.flight, "flight", 64, "requests at once")
	flag.DurationVar(&k.wait, "wait", 200*time.Millisecond, "longest wait for company, where there is one to set")
	flag.DurationVar(&k.sync, "sync", 0, "write messages to a file, one sync for all that come in this time, before they are acknowledged; 0: no file")
	flag.Parse()
	if err := run(ctx, flag.Arg(0), k); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, k knobs) error {
	o := newOrg(os.Getenv("STENO_SF_LOGIN_URL"), k.flight)
	open := map[string]func() (peer, error){
		"single":  func() (peer, error) { return newSingle(o, k), nil },
		"lambda":  func() (peer, error) { return newLambda(o), nil },
		"bundler": func() (peer, error) { return newBundler(o, k), nil },
		"elastic": func() (peer, error) { return newElastic(o, k) },
		"otel":    func() (peer, error) { return newOTel(ctx, o, k, os.Getenv("STENO_SPOOL_DIR")) },
		"sketch":  func() (peer, error) { return newSketch(o, k), nil },
		"floor":   func() (peer, error) { return nil, nil },
	}[name]
	if open == nil {
		return fmt.Errorf("peer is %q: must be single, lambda, bundler, elastic, otel, sketch or floor", name)
	}
	p, err := open()
	if err != nil {
		return err
	}
	if p != nil && k.sync > 0 {
		if p, err = newJournal(p, os.Getenv("STENO_SPOOL_DIR"), k.sync); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", os.Getenv("STENO_LISTEN"))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: &front{peer: p, org: o}, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if p == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return p.close(last)
}
