package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/term"
)

func (s *Settings) level() (slog.Level, error) {
	var level slog.Level
	err := level.UnmarshalText([]byte(s.LogLevel))
	return level, err
}

// NewLog returns the log that the settings ask for, written to w.
func (s *Settings) NewLog(w io.Writer) (*slog.Logger, error) {
	level, err := s.level()
	if err != nil {
		return nil, fmt.Errorf("%w: %sLOG_LEVEL: %w", ErrSettings, Prefix, err)
	}
	options := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "text" || s.LogFormat == "auto" && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return slog.New(slog.NewJSONHandler(w, options)), nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
