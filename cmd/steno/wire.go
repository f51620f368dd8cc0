package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient"
)

// orgFlag names one of several orgs.
type orgFlag struct {
	Org string `help:"Which org, where STENO_ORGS_FILE names several. Default: its default one."`
}

// newClient returns the client of the org, for commands that speak to Salesforce
// by hand.
func (f orgFlag) newClient(p cli.Process) (*sfclient.Client, error) {
	settings, err := daemon.ParseSettings(p.Environ)
	if err != nil {
		return nil, err
	}
	log, err := quietLog(p, settings)
	if err != nil {
		return nil, err
	}
	org, err := settings.OrgNamed(f.Org)
	if err != nil {
		return nil, err
	}
	return org.NewClient(log)
}

// quietLog is the log of commands that speak to Salesforce: the daemon's news
// are noise beside one answer.
func quietLog(p cli.Process, s daemon.Settings) (*slog.Logger, error) {
	if s.LogLevel == "info" {
		s.LogLevel = "warn"
	}
	return s.NewLog(p.Stderr)
}

// readJSON fills v from the one JSON object on stdin. A field that Salesforce's
// endpoint does not have is most likely mistyped, and an error.
func readJSON(p cli.Process, v any) error {
	decoder := json.NewDecoder(p.Stdin)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: nothing on stdin: give the fields as flags, or one JSON object on stdin", cli.ErrUsage)
	case err != nil:
		return fmt.Errorf("%w: JSON on stdin: %w", cli.ErrUsage, err)
	case decoder.More():
		return fmt.Errorf("%w: stdin has more than one JSON object", cli.ErrUsage)
	}
	return nil
}

// answer prints what Salesforce said as JSON, or returns err.
func answer(p cli.Process, v any, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(p.Stdout).Encode(v)
}
