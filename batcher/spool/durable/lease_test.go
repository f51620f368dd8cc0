package durable_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
)

// leaseOf is the bucket in which a spool's holder writes its name.
func leaseOf(t *testing.T, url string) (jetstream.JetStream, jetstream.KeyValue) {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateOrUpdateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "STENO_LEASE", Description: "which Steno holds the spool", History: 1})
	if err != nil {
		t.Fatal(err)
	}
	return js, kv
}

func openAtURL(t *testing.T, url string) *durable.Spool {
	t.Helper()
	s, err := durable.Open(t.Context(), durable.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOneDaemonAnExternalStore(t *testing.T) {
	url := jetStream(t)
	s := openAtURL(t, url)
	_, err := durable.Open(t.Context(), durable.Config{URL: url})
	if !errors.Is(err, durable.ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("a second Open = %v, want ErrHeld and process %d", err, os.Getpid())
	}
	look, err := durable.Open(t.Context(), durable.Config{URL: url, Inspect: true})
	if err != nil {
		t.Errorf("looking at a spool that is held: %v", err)
	} else {
		closeIt(t, look)
	}
	closeIt(t, s)
	closeIt(t, openAtURL(t, url)) // given back: at once
}

// A daemon that was killed has left its lease, which nobody renews.
func TestLeaseOfTheDeadIsTaken(t *testing.T) {
	url := jetStream(t)
	_, kv := leaseOf(t, url)
	if _, err := kv.Create(t.Context(), "daemon", []byte("process 1 on a machine that burns")); err != nil {
		t.Fatal(err)
	}
	s := openAtURL(t, url)
	defer closeIt(t, s)
	say(t, s, 1, 3, "a")
	wantWhole(t, drain(t, s), 1, 3, "a")
}

// Whoever finds another's name in the lease has lost it.
func TestLostLeaseEndsAppends(t *testing.T) {
	url := jetStream(t)
	s := openAtURL(t, url)
	defer closeIt(t, s)
	say(t, s, 1, 3, "a")
	rs := drain(t, s)
	_, kv := leaseOf(t, url)
	if _, err := kv.Put(t.Context(), "daemon", []byte("process 2 on another machine")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(t.Context(), make([]*spool.Record, 1)); n != 0 || !errors.Is(err, durable.ErrHeld) || !strings.Contains(err.Error(), "another machine") {
		t.Errorf("Read = %d, %v, want ErrHeld by another machine", n, err)
	}
	if err := s.Append(t.Context(), []*spool.Record{record("a", 4)}); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("Append = %v, want ErrHeld", err)
	}
	if err := s.Health(); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("Health = %v, want ErrHeld", err)
	}
	settle(t, s, rs, "") // what was sent may still be noted
}

// A frame of another's, or our own whose answer was lost, is where ours belongs.
func TestFramesAreFenced(t *testing.T) {
	url := jetStream(t)
	s := openAtURL(t, url)
	defer closeIt(t, s)
	say(t, s, 1, 3, "a")
	next := record("a", 4)
	durable.StoreUnacknowledged(t, s, next)
	if err := s.Append(t.Context(), []*spool.Record{next}); err != nil {
		t.Errorf("Append of what is stored already = %v", err)
	}
	say(t, s, 5, 6, "a")
	wantWhole(t, drain(t, s), 1, 6, "a")
	js, _ := leaseOf(t, url)
	if _, err := js.Publish(t.Context(), "steno.spool.p0", []byte("another's")); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), []*spool.Record{record("a", 7)}); !errors.Is(err, durable.ErrHeld) {
		t.Errorf("Append behind another's frame = %v, want ErrHeld", err)
	}
}
