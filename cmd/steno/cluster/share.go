package cluster

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

const sharePrefix = "steno.share."

// Share lets the owners of an org's partitions tell one another what all of
// them must count, over plain NATS: what is lost is lost, so what is told must
// be sums and not differences.
type Share struct{ conn *nats.Conn }

// NewShare speaks over the bucket's connection.
func NewShare(b *Bucket) *Share { return &Share{b.conn} }

// Tell tells the owners of the org's other partitions.
func (s *Share) Tell(p Partition, data []byte) error {
	if err := s.conn.Publish(fmt.Sprintf("%s%s.%d", sharePrefix, Token(p.Org), p.Number), data); err != nil {
		return fmt.Errorf("tell the siblings of partition %v: %w", p, err)
	}
	return nil
}

// Hear has f called with what the owners of the org's other partitions tell,
// one after the other, until stop is called. f must not wait.
func (s *Share) Hear(p Partition, f func(from Partition, data []byte)) (stop func(), err error) {
	prefix := sharePrefix + Token(p.Org) + "."
	sub, err := s.conn.Subscribe(prefix+"*", func(m *nats.Msg) {
		n, err := strconv.Atoi(strings.TrimPrefix(m.Subject, prefix))
		if err == nil && n >= 0 && n != p.Number {
			f(Partition{p.Org, n}, m.Data)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("hear the siblings of partition %v: %w", p, err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // of a connection that is closed: nothing is heard any more
}
