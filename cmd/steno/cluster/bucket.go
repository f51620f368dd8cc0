package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bucketName is the key-value bucket that all members share.
const bucketName = "STENO_CLUSTER"

// Bucket is a store in JetStream, and what of it a Share needs.
type Bucket struct {
	conn *nats.Conn
	kv   jetstream.KeyValue
}

// OpenBucket makes the bucket where it is not there yet. replicas is 3 in a
// cluster of servers. The connection stays the caller's.
func OpenBucket(ctx context.Context, conn *nats.Conn, replicas int) (*Bucket, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, fmt.Errorf("speak to the cluster's bucket: %w", err)
	}
	kv, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucketName, Description: "Steno: who works on which calls", History: 1, Replicas: replicas,
	})
	if err != nil {
		return nil, fmt.Errorf("make the bucket %s with %d replicas: %w", bucketName, replicas, err)
	}
	return &Bucket{conn, kv}, nil
}

func (b *Bucket) get(ctx context.Context, key string) (entry, error) {
	e, err := b.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return entry{}, errNoKey
	}
	if err != nil {
		return entry{}, err
	}
	return entry{key: key, value: e.Value(), revision: e.Revision()}, nil
}

func (b *Bucket) put(ctx context.Context, key string, value []byte, revision uint64) (written uint64, err error) {
	if revision == 0 { // a key that was deleted has a revision, which Create finds
		written, err = b.kv.Create(ctx, key, value)
	} else {
		written, err = b.kv.Update(ctx, key, value, revision)
	}
	return written, taken(err)
}

func (b *Bucket) remove(ctx context.Context, key string, revision uint64) error {
	return taken(b.kv.Delete(ctx, key, jetstream.LastRevision(revision)))
}

// taken is errTaken where something else was written since.
func taken(err error) error {
	var api *jetstream.APIError
	if errors.Is(err, jetstream.ErrKeyExists) || errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant) {
		return errTaken
	}
	return err
}

func (b *Bucket) watch(ctx context.Context, f func(entry)) error {
	w, err := b.kv.WatchFiltered(ctx, []string{memberPrefix + "*", ownerPrefix + "*.*", orgPrefix + "*"})
	if err != nil {
		return fmt.Errorf("watch the cluster's bucket: %w", err)
	}
	defer w.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errors.New("the watch of the cluster's bucket has ended")
			case e == nil:
				f(entry{})
			default:
				f(entry{key: e.Key(), value: e.Value(), revision: e.Revision(), deleted: e.Operation() != jetstream.KeyValuePut})
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Keep stores what the owners of an org remember: the last one counts.
func (b *Bucket) Keep(ctx context.Context, org string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := b.kv.Put(ctx, historyKey(org), value); err != nil {
		return fmt.Errorf("keep the history of org %q: %w", org, err)
	}
	return nil
}

// Kept is what was kept for an org; nil: nothing.
func (b *Bucket) Kept(ctx context.Context, org string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	e, err := b.get(ctx, historyKey(org))
	if errors.Is(err, errNoKey) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the history of org %q: %w", org, err)
	}
	return e.value, nil
}
