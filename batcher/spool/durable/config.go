package durable

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// The values of Config.Sync.
const (
	SyncAlways   = "always"
	SyncInterval = "interval"
)

// syncInterval is how much a power cut may cost with SyncInterval.
const syncInterval = time.Second

// Config says where a spool lies and how careful it is.
type Config struct {
	Dir string // of the embedded store; made with mode 0700. One process at a time
	URL string // nats://…: an external JetStream in place of the embedded one; then Dir and Key are not used

	// What many spools in one external JetStream need.
	Name  string       // of this one. Empty: the one without a name
	Conn  *Connection  // in place of URL, and not closed with the spool
	Lease func() error // says whether the spool is ours, nil: it is. Asked before each write and read; what it says once not to be ours is lost. nil: the spool has a lease of its own

	Sync     string        // SyncAlways, the default, or SyncInterval: a power cut may cost the last second. An external JetStream has its own setting
	MaxBytes int64         // of the frames on disk; at the limit Append waits for room. 0: 8 GiB
	MaxAge   time.Duration // when something has waited for longer, Append waits until it is settled; nothing is dropped. 0: none
	Keep     time.Duration // how long after its receipt a settled utterance stays, so that its message id is known after a restart: the resume time. 0: 5 minutes
	Inspect  bool          // only to look: nothing is noted, trimmed or taken in, so that damage is still named at the next opening; only what JetStream could not be started with is mended (blocks.go)
	Replicas int           // of the streams in an external JetStream. 0: 1

	Key    string // of JetStream's encryption at rest. Empty: none
	Cipher string // with Key: chacha, the default, or aes

	synced time.Duration // how long after its acknowledgement a frame may not be on the disk; a test knows no power cut, and changes it

	Log     *slog.Logger
	Metrics *metrics.Set // gets the histograms of sync time and frame size. nil: none
}

// external says that the store is not ours to start.
func (c Config) external() bool { return c.URL != "" || c.Conn != nil }

// check fills in the defaults and returns every fault at once.
func (c Config) check() (Config, error) {
	var faults []error
	if c.Sync == "" {
		c.Sync = SyncAlways
	}
	if c.Sync != SyncAlways && c.Sync != SyncInterval {
		faults = append(faults, fmt.Errorf("sync is %q: must be %s or %s", c.Sync, SyncAlways, SyncInterval))
	}
	if c.Sync == SyncInterval && !c.external() && c.synced == 0 {
		c.synced = 2 * syncInterval
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 30
	}
	if c.MaxBytes < 64<<10 {
		faults = append(faults, fmt.Errorf("max bytes is %d: must be at least 64 KiB", c.MaxBytes))
	}
	if c.MaxAge < 0 || c.Keep < 0 || c.Replicas < 0 {
		faults = append(faults, fmt.Errorf("max age, keep and replicas must not be negative: %v, %v, %d", c.MaxAge, c.Keep, c.Replicas))
	}
	if c.Keep == 0 {
		c.Keep = 5 * time.Minute
	}
	c.Replicas = max(c.Replicas, 1)
	if c.Cipher == "" {
		c.Cipher = "chacha"
	}
	if c.Cipher != "chacha" && c.Cipher != "aes" {
		faults = append(faults, fmt.Errorf("cipher is %q: must be chacha or aes", c.Cipher))
	}
	if c.Dir == "" && !c.external() {
		faults = append(faults, errors.New("neither a directory nor a URL is given"))
	}
	if err := checkName(c.Name); err != nil {
		faults = append(faults, err)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, errors.Join(faults...)
}
