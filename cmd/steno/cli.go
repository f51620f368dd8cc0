package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"example.com/steno/cmd/steno/daemon"
)

// The exit codes, which scripts rely on.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// commands is the command line. Each command's Run gets the context and the
// process that it may use, and nothing else.
type commands struct {
	Serve      serveCommand       `cmd:"" default:"1" help:"Run the daemon (the default)."`
	Check      checkCommand       `cmd:"" help:"Check the settings, the org's six endpoints and this machine. Changes nothing."`
	Call       callCommands       `cmd:"" help:"Salesforce's call endpoints by hand."`
	Transcript transcriptCommands `cmd:"" help:"Salesforce's transcript endpoints by hand."`
	Version    versionCommand     `cmd:"" help:"Print the version."`
}

// errHelp ends a parse that has printed help.
var errHelp = errors.New("help was asked for")

// run is main without the process. It returns the exit code.
func run(ctx context.Context, args []string, p process) int {
	parser, err := kong.New(&commands{},
		kong.Name("steno"),
		kong.Description("Puts what speech engines hear on the agent's console in Salesforce Service Cloud Voice."),
		kong.Writers(p.stdout, p.stderr),
		kong.Exit(func(int) { panic(errHelp) }),
		kong.Help(helpWithSettings),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		panic("BUG: the command line: " + err.Error())
	}
	command, err := parse(parser, args)
	switch {
	case errors.Is(err, errHelp):
		return exitDone
	case err != nil:
		fmt.Fprintf(p.stderr, "steno: %v\nsteno --help lists the commands and the settings.\n", err)
		return exitUsage
	}
	return exitCode(command.Run(), p.stderr)
}

// parse is parser.Parse, which knows no other way to stop after --help than to
// exit.
func parse(parser *kong.Kong, args []string) (command *kong.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != error(errHelp) {
				panic(r)
			}
			err = errHelp
		}
	}()
	return parser.Parse(args)
}

func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "steno:", err)
	if errors.Is(err, daemon.ErrSettings) || errors.Is(err, errUsage) {
		return exitUsage
	}
	return exitFailed
}

// errUsage is in errors that whoever typed the command is to blame for.
var errUsage = errors.New("usage")

// helpWithSettings is kong's help, and below it the settings.
func helpWithSettings(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	if node := ctx.Selected(); node != nil && node.Name != "serve" {
		return nil
	}
	w := tabwriter.NewWriter(ctx.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprint(w, "\nSettings, from the environment (a secret also as …_FILE, which names a file):\n")
	for _, s := range daemon.AllSettings() {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", s.Name, defaultWord(s), s.Doc)
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
