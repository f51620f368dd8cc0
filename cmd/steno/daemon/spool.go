package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/steno/deadletters"
)

// InMemory is the SPOOL_DIR of those who want none.
const InMemory = "memory"

// openSpool opens the spool that the settings name.
func openSpool(ctx context.Context, s *Settings, set *metrics.Set, log *slog.Logger) (spool.Spool, error) {
	if s.SpoolDir == InMemory && s.SpoolURL == "" {
		log.Warn("the spool is in memory: what is acknowledged does not survive a kill of this process")
		return spool.NewMemory(), nil
	}
	if s.SpoolSync == durable.SyncInterval {
		log.Warn("the spool syncs by interval: a power cut may cost what was acknowledged in the last seconds, in the worst case the whole spool")
	}
	return durable.Open(ctx, s.SpoolConfig(set, log))
}

// LeftBehind refuses several orgs where one org's spool is left: what waits in
// it would wait for ever.
func (s *Settings) LeftBehind() error {
	if !s.Several() || s.SpoolDir == InMemory {
		return nil
	}
	if _, err := os.Stat(filepath.Join(s.SpoolDir, "VERSION")); err != nil {
		return nil
	}
	return fmt.Errorf("%w: %s holds the spool of a single org, and with %sORGS_FILE each org has a directory in it: move its content into one named like the org", ErrSettings, s.SpoolDir, Prefix)
}

// unclaimed are the directories with an org's spool whose org is not there: it
// was renamed, or taken out of the file.
func (s *Settings) unclaimed(orgs []Org) (dirs []string) {
	if s.SpoolDir == InMemory {
		return nil
	}
	versions, err := filepath.Glob(filepath.Join(s.SpoolDir, "*", "VERSION"))
	if err != nil {
		return nil // the directory's name is a pattern that is none
	}
	for _, v := range versions {
		dir := filepath.Dir(v)
		if !s.Several() || !slices.ContainsFunc(orgs, func(o Org) bool { return filepath.Base(dir) == o.SFOrg }) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// SpoolConfig is the durable spool that the settings name.
func (s *Settings) SpoolConfig(set *metrics.Set, log *slog.Logger) durable.Config {
	return durable.Config{
		Dir: s.SpoolDir, URL: s.SpoolURL, Sync: s.SpoolSync, MaxBytes: s.SpoolMaxBytes, MaxAge: s.SpoolMaxAge,
		Key: s.SpoolKey, Keep: s.IngestResume, Metrics: set, Log: log,
	}
}

// ErrClustered is why commands do not look for what a stopped daemon of a
// cluster has left: it has left nothing, the others go on with it.
var ErrClustered = errors.New("what waits in a cluster and what it has rejected lies in its JetStream, a part with each daemon that runs: ask those, each at its STENO_ADMIN_LISTEN")

// InspectSpool opens the spool of a daemon that is stopped, reads it to its
// end, and closes it again. Nothing is sent or settled.
func InspectSpool(ctx context.Context, s Settings, log *slog.Logger) (AccountShown, *SpoolShown, error) {
	kept, err := s.openStopped(ctx, log, true)
	if err != nil {
		return AccountShown{}, nil, err
	}
	shown := showSpool(kept.Stats())
	for _, err := range kept.DeadLetters().List(ctx, spool.LetterFilter{}) {
		if err != nil {
			shown.Damage = append(shown.Damage, err.Error())
		}
	}
	return showAccount(kept.Account(), time.Now()), shown, kept.Close()
}

// openStopped opens the spool of a daemon that is stopped.
func (s *Settings) openStopped(ctx context.Context, log *slog.Logger, inspect bool) (*durable.Spool, error) {
	if s.SpoolURL == "" && s.SpoolDir == InMemory {
		return nil, errors.New("the spool is in memory: nothing is left of a daemon that is stopped")
	}
	if _, err := os.Stat(filepath.Join(s.SpoolDir, "VERSION")); s.SpoolURL == "" && err != nil {
		return nil, fmt.Errorf("there is no spool in %s: %w", s.SpoolDir, err)
	}
	cfg := s.SpoolConfig(nil, log)
	cfg.Inspect = inspect
	return durable.Open(ctx, cfg)
}

// OpenLetters opens the dead letters of a daemon that is stopped; to change
// them, or only to look. Whoever gets them closes them. In an external JetStream
// nothing can be changed: no lock tells whether a daemon elsewhere writes there,
// and two of them would take each other's positions.
func OpenLetters(ctx context.Context, s Settings, log *slog.Logger, toChange bool) (deadletters.Letters, func() error, error) {
	if s.Clustered() {
		return nil, nil, ErrClustered
	}
	if !s.Several() {
		return openLetters(ctx, &s, log, toChange)
	}
	var all []deadletters.Org
	var closers []func() error
	closeAll := func() (err error) {
		for _, each := range closers {
			err = errors.Join(err, each())
		}
		return err
	}
	for _, o := range s.AllOrgs() {
		letters, closeOne, err := openLetters(ctx, &o.Settings, log, toChange)
		if errors.Is(err, fs.ErrNotExist) {
			continue // nothing has ever worked for it
		}
		if err != nil {
			return nil, nil, errors.Join(fmt.Errorf("org %q: %w", o.SFOrg, err), closeAll())
		}
		all, closers = append(all, deadletters.Org{Name: o.SFOrg, Letters: letters}), append(closers, closeOne)
	}
	return deadletters.Orgs(func() []deadletters.Org { return all }), closeAll, nil
}

func openLetters(ctx context.Context, s *Settings, log *slog.Logger, toChange bool) (*deadletters.Local, func() error, error) {
	if toChange && s.SpoolURL != "" {
		return nil, nil, fmt.Errorf("dead letters in %sSPOOL_URL can only be changed by the running daemon", Prefix)
	}
	kept, err := s.openStopped(ctx, log, !toChange)
	if err != nil {
		return nil, nil, err
	}
	return &deadletters.Local{Spool: kept.DeadLetters()}, kept.Close, nil
}
