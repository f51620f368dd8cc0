package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
)

// commands is the command line.
type commands struct {
	Serve       serveCommand        `cmd:"" default:"1" help:"Run the daemon (the default)."`
	Check       checkCommand        `cmd:"" help:"Check the settings, the org's six endpoints and this machine. Changes nothing."`
	Probe       probeCommand        `cmd:"" help:"Send a marked utterance through the running daemon to a test call, and measure it."`
	Call        callCommands        `cmd:"" help:"Salesforce's call endpoints by hand."`
	Transcript  transcriptCommands  `cmd:"" help:"Salesforce's transcript endpoints by hand."`
	Cluster     clusterCommands     `cmd:"" help:"The daemons that share the calls."`
	Spool       spoolCommands       `cmd:"" help:"What waits on the disk."`
	Deadletters deadLettersCommands `cmd:"" help:"What Salesforce has rejected."`
	Version     versionCommand      `cmd:"" help:"Print the version."`
}

func program() cli.Program {
	return cli.Program{
		Name:        "steno",
		Description: "Puts what speech engines hear on the agent's console in Salesforce Service Cloud Voice.",
		Commands:    &commands{},
		Help:        helpWithSettings,
	}
}

// helpWithSettings is kong's help, and below it the settings.
func helpWithSettings(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	if node := ctx.Selected(); node != nil && node.Name != "serve" {
		return nil
	}
	w := tabwriter.NewWriter(ctx.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "\nSettings, from the environment (a secret also as …_FILE, which names a file; in brackets its name in an orgs file):\n")
	for _, s := range daemon.AllSettings() {
		field := ""
		if s.OrgField != "" {
			field = " [" + s.OrgField + "]"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s%s\n", s.Name, defaultWord(s), s.Doc, field)
	}
	return w.Flush()
}

// defaultWord is a setting's default as help and README show it.
func defaultWord(s daemon.Setting) string {
	switch {
	case s.Required:
		return "required"
	case s.Default == "":
		return "none"
	default:
		return s.Default
	}
}
