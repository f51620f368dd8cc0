package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
)

type clusterCommands struct {
	Status clusterStatusCommand `cmd:"" help:"Who is in the cluster, and who works on what, as the running daemon sees it."`
}

type clusterStatusCommand struct {
	JSON bool `name:"json" help:"As JSON."`
}

// errFenced ends a status that has shown what was last known.
var errFenced = errors.New("this daemon is cut off from its cluster: its heartbeat does not get through, it does nothing, and what is shown is what it last knew")

// Run asks the daemon at the admin address, and fails where that is in no
// cluster, or may do nothing there.
func (c clusterStatusCommand) Run(ctx context.Context, p cli.Process) error {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return err
	}
	t, err := askDaemon(ctx, settings.AdminListen)
	if err != nil {
		return fmt.Errorf("no daemon answers at %s: %w", settings.AdminListen, err)
	}
	if t.Cluster == nil {
		return fmt.Errorf("the daemon at %s is in no cluster: %sCLUSTER_LISTEN is not set there", settings.AdminListen, daemon.Prefix)
	}
	if c.JSON {
		err = json.NewEncoder(p.Stdout).Encode(struct {
			Cluster any         `json:"cluster"`
			Here    []ownedHere `json:"here"` // the partitions that the daemon itself works on
		}{t.Cluster, t.here()})
	} else {
		err = errors.Join(t.printMembers(p.Stdout), t.printPartitions(p.Stdout))
	}
	if err == nil && t.Cluster.Fenced {
		return errFenced
	}
	return err
}

// ownedHere is what a daemon knows of a partition that it works on itself.
type ownedHere struct {
	Partition string  `json:"partition"` // acme/0
	Calls     int     `json:"calls"`
	Pending   uint64  `json:"pending"`
	Oldest    float64 `json:"oldest"`
}

func (t daemonStatus) here() []ownedHere {
	all := []ownedHere{}
	for _, s := range t.Orgs {
		all = append(all, ownedHere{s.Org, s.Calls, s.Account.Pending, s.Account.OldestPendingSeconds})
	}
	return all
}

func (t daemonStatus) printMembers(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DAEMON\tADDRESS\tOWNS\tCALLS\tSENT/S\tP95\tWAITING\tOLDEST\tHEARD\tSTATE\tVERSION")
	for _, m := range t.Cluster.Members {
		l := m.Load
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\t%s\t%d\t%s\t%s ago\t%s\t%s\n",
			plain(m.ID), plain(m.Address), m.Owns, l.Calls, l.Delivered, ago(l.P95), l.Pending, ago(l.Oldest), ago(m.Silent), m.State, plain(m.Version))
	}
	return w.Flush()
}

// printPartitions prints who owns what. How much waits in it is known here of
// our own only.
func (t daemonStatus) printPartitions(out io.Writer) error {
	here := map[string]ownedHere{}
	for _, h := range t.here() {
		here[h.Partition] = h
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nPARTITION\tDAEMON\tSINCE\tMOVES\tCALLS\tWAITING\tOLDEST")
	for _, p := range t.Cluster.Partitions {
		name, owner, since := fmt.Sprintf("%s/%d", p.Org, p.Number), p.Owner, "–"
		if owner == "" {
			owner = "NOBODY"
		}
		if !p.Since.IsZero() {
			since = p.Since.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t", plain(name), plain(owner), since, p.Moves)
		if h, ours := here[name]; ours {
			fmt.Fprintf(w, "%d\t%d\t%s\n", h.Calls, h.Pending, ago(h.Oldest))
		} else {
			fmt.Fprintln(w, "–\t–\t–")
		}
	}
	return w.Flush()
}

// ago is a number of seconds, for people; of none, nothing.
func ago(seconds float64) string {
	if seconds == 0 {
		return "–"
	}
	return (time.Duration(seconds*100) * 10 * time.Millisecond).String()
}
