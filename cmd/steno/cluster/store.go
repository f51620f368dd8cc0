package cluster

import (
	"context"
	"errors"
)

// store is the little of a key-value bucket that the cluster needs: all keys
// have one order, that of their revisions.
type store interface {
	// get returns a key's last entry, or an older one: errNoKey where it has none.
	get(ctx context.Context, key string) (entry, error)
	// put writes a key whose last revision is this one, 0: that does not exist.
	// errTaken: it is not as the caller thinks.
	put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// remove deletes a key whose last revision is this one, or says errTaken.
	remove(ctx context.Context, key string, revision uint64) error
	// watch calls f with the last entry of every key, in the order of their
	// revisions, then once with an empty entry, and from then on with each that
	// is written. It returns when ctx is done or it cannot go on.
	watch(ctx context.Context, f func(entry)) error
}

// entry is what a key had at a revision.
type entry struct {
	key      string
	value    []byte
	revision uint64
	deleted  bool
}

var (
	errNoKey = errors.New("there is no such key")
	errTaken = errors.New("another was quicker")
)
