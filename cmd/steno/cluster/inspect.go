package cluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Standing is what a client can see of the servers behind a cluster.
type Standing struct {
	Servers  int    // that the client has been told of
	Server   string // that it speaks to
	Made     bool   // the bucket is there: a daemon has run
	Replicas int    // of the bucket
	Behind   int    // of them, those that are not up to date
}

// Inspect looks at the servers and at the bucket, if it is there. It writes
// nothing and disturbs nobody.
func Inspect(ctx context.Context, url string) (s Standing, err error) {
	conn, err := nats.Connect(url, nats.Name("steno check"))
	if err != nil {
		return s, fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	s.Servers, s.Server = len(conn.DiscoveredServers()), conn.ConnectedServerName()
	s.Servers = max(s.Servers, len(conn.Servers()))
	js, err := jetstream.New(conn)
	if err != nil {
		return s, fmt.Errorf("speak to JetStream: %w", err)
	}
	if _, err := js.AccountInfo(ctx); err != nil {
		return s, fmt.Errorf("ask JetStream who we are: %w", err)
	}
	stream, err := js.Stream(ctx, "KV_"+bucketName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("look at the bucket %s: %w", bucketName, err)
	}
	info := stream.CachedInfo()
	s.Made, s.Replicas = true, info.Config.Replicas
	if info.Cluster == nil {
		return s, nil
	}
	for _, r := range info.Cluster.Replicas {
		if r.Offline || !r.Current {
			s.Behind++
		}
	}
	return s, nil
}
