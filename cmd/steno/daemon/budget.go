package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"example.com/steno/batcher"
	"example.com/steno/batcher/spool"
	"example.com/steno/sfclient"
)

const (
	// usageAge is how old the newest word about the org's API requests may
	// become before they are asked for, which costs one of them.
	usageAge = 5 * time.Minute
	// usageRefused is how long nobody asks again after the org would not tell.
	usageRefused = time.Hour
	// rememberEvery is how often the history is written.
	rememberEvery = time.Minute
)

// watchUsage keeps the batcher told of the org's daily API requests until ctx
// is done. Most orgs tell with each answer; others are asked, gently.
func (p *pipeline) watchUsage(ctx context.Context) error {
	if most := p.settings.APIDailyBudget; most > 0 {
		p.batcher.Learn(batcher.Usage{Max: most, At: time.Now()})
	}
	for {
		wait := usageAge
		if newest, known := p.client.Limit(); known && time.Since(newest.At) < usageAge {
			wait = usageAge - time.Since(newest.At)
		} else if told, err := p.client.FetchLimit(ctx); err == nil {
			p.batcher.Learn(batcher.Usage(told))
		} else if refusal, ok := errors.AsType[*sfclient.Error](err); ok && refusal.Verdict() == sfclient.Hold && refusal.Endpoint == sfclient.EndpointLimits {
			p.log.Info("salesforce does not tell its daily API requests", "cause", err)
			wait = usageRefused
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

// historyPath is the file in which a daemon leaves to the next one how much
// speech there was and what it cost. In memory, or on a JetStream elsewhere,
// there is none: then the first day is forecast without it.
func (s *Settings) historyPath() string {
	if s.SpoolURL != "" || s.SpoolDir == InMemory {
		return ""
	}
	return filepath.Join(s.SpoolDir, "history.json")
}

// readHistory returns what the last daemon has left. What cannot be read is
// worth a line in the log, and no more: it is only a forecast's.
func (s *Settings) readHistory(log *slog.Logger) (slots []batcher.Slot) {
	path := s.historyPath()
	if path == "" {
		return nil
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &slots)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the history of the API budget cannot be read: the forecast begins anew", "cause", err)
		return nil
	}
	return slots
}

// history is what the forecast of the pipeline's budget begins with.
func (p *pipeline) history() []batcher.Slot {
	if p.cfg.member != nil {
		return p.cfg.member.history(p.partition().Org, p.log)
	}
	return p.settings.readHistory(p.log)
}

// keepHistory writes the history to path every minute until ctx is done, and
// then once more.
func (p *pipeline) keepHistory(ctx context.Context, path string) error {
	if _, lost := p.spool.(*spool.Memory); path == "" || lost {
		return nil
	}
	every := time.NewTicker(rememberEvery)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-every.C:
		case <-ctx.Done():
		}
		if err := writeHistory(path, p.batcher.History()); err != nil {
			p.log.Warn("the history of the API budget cannot be written", "cause", err)
		}
	}
	return nil
}

func writeHistory(path string, slots []batcher.Slot) error {
	b, err := json.Marshal(slots)
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	if err := os.WriteFile(path+".next", b, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".next", path)
}
