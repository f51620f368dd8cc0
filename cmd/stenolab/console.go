package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/sfclient/orgsim"
)

// console shows what the agents see, one line a message as it appears, and on
// a terminal a line of progress below them.
type console struct {
	out      io.Writer
	begin    time.Time
	terminal bool
	quiet    bool          // no messages, only the progress
	progress func() string // nil: there is none
}

func newConsole(p cli.Process, progress func() string) *console {
	f, ok := p.Stdout.(*os.File)
	return &console{out: p.Stdout, begin: time.Now(), terminal: ok && term.IsTerminal(int(f.Fd())), progress: progress}
}

// show prints messages until ctx is done, and what is there by then.
func (c *console) show(ctx context.Context, events <-chan orgsim.Shown) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case m := <-events:
			c.line(m)
		case <-tick.C:
			c.status()
		case <-ctx.Done():
			for {
				select {
				case m := <-events:
					c.line(m)
				default:
					c.clear()
					return nil
				}
			}
		}
	}
}

// speaker is a short word for one of Salesforce's sender types.
func speaker(senderType string) string {
	switch senderType {
	case "HUMAN_AGENT":
		return "agent"
	case "END_USER":
		return "caller"
	default:
		return senderType
	}
}

func (c *console) line(m orgsim.Shown) {
	if c.quiet {
		return
	}
	c.clear()
	if m.Missed > 0 {
		fmt.Fprintf(c.out, "        … %d more, which this console was too slow to show\n", m.Missed)
	}
	at := time.UnixMilli(m.StoredAt).Sub(c.begin).Seconds()
	fmt.Fprintf(c.out, "%6.1fs  %-28.28s %-6s  %s  +%d ms\n", at, m.Call, speaker(m.SenderType), m.Content, m.LatencyMS)
}

// status writes the progress over itself. Anything but a terminal would keep
// every state of it.
func (c *console) status() {
	if c.terminal && c.progress != nil {
		fmt.Fprintf(c.out, "\r\033[K%s", c.progress())
	}
}

func (c *console) clear() {
	if c.terminal {
		fmt.Fprint(c.out, "\r\033[K")
	}
}

// stderrLog is the log of the lab's commands: warnings and worse, as text.
func stderrLog(p cli.Process) *slog.Logger {
	return slog.New(slog.NewTextHandler(p.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
