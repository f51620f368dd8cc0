// Package cli is what the command lines of steno and stenolab have in common:
// parsing, help, and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// The exit codes, which scripts rely on.
const (
	Done   = 0
	Failed = 1
	Usage  = 2
)

// ErrUsage is what errors are, to errors.Is, that whoever typed the command or
// wrote the settings is to blame for.
var ErrUsage = errors.New("wrong usage")

// UsageError is an ErrUsage in words of its own.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// Is makes every UsageError an ErrUsage.
func (e UsageError) Is(target error) bool { return target == ErrUsage }

// errHelp ends a parse that has printed help.
var errHelp = errors.New("help was asked for")

// Process is what a command sees of the process that it runs in.
type Process struct {
	Args    []string // without the program's name
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Program is a command line: what kong makes of Commands. Each command's Run
// gets the context and the Process, and nothing else.
type Program struct {
	Name, Description string
	Commands          any
	Help              kong.HelpPrinter // nil: kong's own
}

// Run runs the command that the arguments name and returns the exit code.
func (p Program) Run(ctx context.Context, in Process) int {
	options := []kong.Option{
		kong.Name(p.Name), kong.Description(p.Description), kong.Writers(in.Stdout, in.Stderr),
		kong.Exit(func(int) { panic(errHelp) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(in),
	}
	if p.Help != nil {
		options = append(options, kong.Help(p.Help))
	}
	parser, err := kong.New(p.Commands, options...)
	if err != nil {
		panic("BUG: the command line: " + err.Error())
	}
	command, err := parse(parser, in.Args)
	switch {
	case errors.Is(err, errHelp):
		return Done
	case err != nil:
		fmt.Fprintf(in.Stderr, "%s: %v\nFor help: %s --help\n", p.Name, err, p.Name)
		return Usage
	}
	err = command.Run()
	switch {
	case err == nil:
		return Done
	case errors.Is(err, ErrUsage):
		fmt.Fprintf(in.Stderr, "%s: %v\n", p.Name, err)
		return Usage
	default:
		fmt.Fprintf(in.Stderr, "%s: %v\n", p.Name, err)
		return Failed
	}
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
