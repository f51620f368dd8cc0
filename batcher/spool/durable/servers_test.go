package durable_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/batcher/spool/spooltest"
)

// configured starts a server with a system account and what is given of
// JetStream.
func configured(t *testing.T, jetstream string) *server.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	conf := fmt.Sprintf(`listen: "127.0.0.1:-1", server_name: n1, jetstream { store_dir: %q, %s }
accounts { $SYS { users: [{user: sys, password: secret}] }, STENO { jetstream: enabled, users: [{user: steno, password: secret}] } }`, t.TempDir(), jetstream)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o.NoSigs, o.NoLog = true, true
	return spooltest.Serve(t, o)
}

func TestCheckServers(t *testing.T) {
	f := func(jetstream, user string, replicas int, want ...string) {
		t.Helper()
		url := strings.Replace(configured(t, jetstream).ClientURL(), "nats://", "nats://"+user+":secret@", 1)
		err := durable.CheckServers(t.Context(), url, replicas)
		if len(want) == 0 && err != nil {
			t.Errorf("%s: %v", jetstream, err)
		}
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v, want %q", jetstream, err, w)
			}
		}
	}
	f("sync_interval: always", "sys", 1)
	f("sync_interval: 10s", "sys", 1, "server n1 syncs every 10s: sync_interval must be always")
	f("sync_interval: always", "sys", 3, "1 servers answer: 3 replicas")
	f("sync_interval: always", "steno", 1, "must be one of the system account")
}
