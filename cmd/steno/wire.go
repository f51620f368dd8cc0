package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient"
)

// client returns the client that the settings name, for commands that speak to
// Salesforce by hand.
func (p process) client() (*sfclient.Client, error) {
	settings, err := daemon.ParseSettings(p.environ)
	if err != nil {
		return nil, err
	}
	log, err := settings.NewLog(p.stderr)
	if err != nil {
		return nil, err
	}
	return settings.NewClient(log)
}

// readJSON fills v from the one JSON object on stdin. A field that Salesforce's
// endpoint does not have is most likely mistyped, and an error.
func (p process) readJSON(v any) error {
	decoder := json.NewDecoder(p.stdin)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: nothing on stdin: give the fields as flags, or one JSON object on stdin", errUsage)
	case err != nil:
		return fmt.Errorf("%w: JSON on stdin: %w", errUsage, err)
	case decoder.More():
		return fmt.Errorf("%w: stdin has more than one JSON object", errUsage)
	}
	return nil
}

// answer prints what Salesforce said as JSON, or returns err.
func (p process) answer(v any, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(p.stdout).Encode(v)
}
