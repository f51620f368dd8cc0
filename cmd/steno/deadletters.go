package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/cmd/steno/deadletters"
)

type deadLettersCommands struct {
	List   lettersListCommand   `cmd:"" help:"What was rejected and is kept, without its text."`
	Show   lettersShowCommand   `cmd:"" help:"One, with its text and Salesforce's words."`
	Retry  lettersRetryCommand  `cmd:"" help:"Send some again, under their messageIds."`
	Export lettersExportCommand `cmd:"" help:"Write some as Salesforce's Connect upload takes them (NDJSON). They stay."`
	Drop   lettersDropCommand   `cmd:"" help:"Give some up for good."`
}

type filterFlags struct {
	Call   string    `help:"Of this vendorCallKey."`
	Org    string    `help:"Of this org."`
	Reason string    `help:"Rejected for this reason."`
	Since  time.Time `help:"Rejected at this time (RFC 3339) or later."`
}

func (f filterFlags) filter() deadletters.Filter {
	return deadletters.Filter{Call: f.Call, Org: f.Org, Reason: f.Reason, Since: f.Since}
}

type lettersListCommand struct {
	filterFlags
	JSON bool `name:"json" help:"A line of JSON each."`
}

// Run prints a line for each letter as it comes, so that a million of them
// take no memory.
func (c lettersListCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	return withLetters(ctx, p, false, func(letters deadletters.Letters) error {
		lines, n := json.NewEncoder(p.Stdout), 0
		const row = "%-6v  %-20s  %-12s  %5v  %-24s  %s\n"
		org := func(name string) {
			if settings.Several() || settings.Clustered() {
				fmt.Fprintf(p.Stdout, "%-12s  ", name)
			}
		}
		err := letters.List(ctx, c.filter(), func(d deadletters.Shown) error {
			if c.JSON {
				return lines.Encode(d)
			}
			if n++; n == 1 {
				org("ORG")
				fmt.Fprintf(p.Stdout, row, "ID", "REJECTED", "REASON", "TRIES", "CALL", "MESSAGE")
			}
			org(d.Org)
			_, err := fmt.Fprintf(p.Stdout, row, d.ID, d.Rejected.Format(time.RFC3339), d.Reason, d.Attempts, plain(d.Call), plain(d.MessageID))
			return err
		})
		if n == 0 && err == nil && !c.JSON {
			where := ""
			if settings.Clustered() {
				where = " in the partitions that this daemon works on; each daemon of the cluster has its own"
			}
			fmt.Fprintln(p.Stdout, "no dead letters"+where)
		}
		return err
	})
}

// plain quotes what would do something to a terminal.
func plain(s string) string {
	if quoted := strconv.Quote(s); quoted[1:len(quoted)-1] != s {
		return quoted
	}
	return s
}

type lettersShowCommand struct {
	Org  string `help:"Of this org; needed where there are several."`
	ID   uint64 `arg:"" help:"Its number."`
	JSON bool   `name:"json" help:"As JSON."`
}

// Run prints the letter.
func (c lettersShowCommand) Run(ctx context.Context, p cli.Process) error {
	return withLetters(ctx, p, false, func(letters deadletters.Letters) error {
		d, err := letters.Show(ctx, c.Org, c.ID)
		if err != nil {
			return err
		}
		if c.JSON {
			out := json.NewEncoder(p.Stdout)
			out.SetEscapeHTML(false) // the message shows as it was sent
			return out.Encode(d)
		}
		return printLetter(p.Stdout, d)
	})
}

func printLetter(w io.Writer, d deadletters.Shown) error {
	var said struct {
		SenderType, ParticipantID, Content string
		StartTime, EndTime                 int64
	}
	if err := json.Unmarshal(d.Message, &said); err != nil {
		return fmt.Errorf("dead letter %d: its message is not JSON", d.ID)
	}
	ambiguous := "no"
	if d.Ambiguous {
		ambiguous = "yes: one try may have been stored all the same"
	}
	sent := "never"
	if !d.Sent.IsZero() {
		sent = d.Sent.Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(w, "call        %s\nmessage     %s\nreason      %s\nsalesforce  %s\ntries       %d\nambiguous   %s\nreceived    %s\nlast sent   %s\nrejected    %s\nspeaker     %s (%s)\nspoken      %s, for %v\ntext        %s\n",
		plain(d.Call), plain(d.MessageID), d.Reason, plain(d.Words), d.Attempts, ambiguous,
		d.Received.Format(time.RFC3339), sent, d.Rejected.Format(time.RFC3339),
		plain(said.SenderType), plain(said.ParticipantID), time.UnixMilli(said.StartTime).UTC().Format(time.RFC3339),
		time.Duration(said.EndTime-said.StartTime)*time.Millisecond, plain(said.Content))
	return err
}

type selectionFlags struct {
	IDs []uint64 `arg:"" optional:"" name:"id" help:"Their numbers."`
	All bool     `help:"All of them."`
	filterFlags
}

func (s selectionFlags) selection() deadletters.Selection {
	return deadletters.Selection{IDs: s.IDs, All: s.All, Filter: s.filter()}
}

type lettersRetryCommand struct{ selectionFlags }

// Run retries what is selected.
func (c lettersRetryCommand) Run(ctx context.Context, p cli.Process) error {
	return change(ctx, p, deadletters.Retry, "retried", c.selection())
}

type lettersDropCommand struct{ selectionFlags }

// Run drops what is selected.
func (c lettersDropCommand) Run(ctx context.Context, p cli.Process) error {
	return change(ctx, p, deadletters.Drop, "dropped", c.selection())
}

// change prints how many it was; of numbers, all must have been there.
func change(ctx context.Context, p cli.Process, act deadletters.Act, did string, s deadletters.Selection) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	return withLetters(ctx, p, true, func(letters deadletters.Letters) error {
		n, err := letters.Change(ctx, act, s)
		fmt.Fprintf(p.Stdout, "%s: %d\n", did, n)
		if missing := len(s.IDs) - n; err == nil && missing > 0 {
			return fmt.Errorf("%d of the %d dead letters are not there, or were named twice", missing, len(s.IDs))
		}
		return err
	})
}

type lettersExportCommand struct {
	filterFlags
	Out string `short:"o" help:"The file to write, which must not exist. Without it: standard output." placeholder:"FILE"`
}

// Run writes the upload. A file that is not whole does not stay.
func (c lettersExportCommand) Run(ctx context.Context, p cli.Process) error {
	return withLetters(ctx, p, false, func(letters deadletters.Letters) error {
		if c.Out == "" {
			return letters.Export(ctx, c.filter(), p.Stdout)
		}
		f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		err = letters.Export(ctx, c.filter(), f)
		whole := err == nil || errors.Is(err, deadletters.ErrDamaged)
		if err = errors.Join(err, f.Close()); !whole {
			err = errors.Join(err, os.Remove(c.Out))
		}
		return err
	})
}

// withLetters gives f the dead letters of the daemon at the admin address, or
// where nobody listens there, of the directory that a stopped one has left.
func withLetters(ctx context.Context, p cli.Process, toChange bool, f func(deadletters.Letters) error) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	host, err := adminHost(settings.AdminListen)
	if err != nil {
		return err
	}
	if someoneListens(ctx, host) {
		return f(&deadletters.Remote{URL: "http://" + host, Client: direct()})
	}
	letters, closeLetters, err := daemon.OpenLetters(ctx, settings, errorsOnly(p), toChange)
	if err != nil {
		return fmt.Errorf("no daemon listens at %s: %w", settings.AdminListen, err)
	}
	return errors.Join(f(letters), closeLetters())
}
