package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"example.com/steno/cmd/steno/daemon"
)

// patience is how long a daemon on this machine may take to answer.
const patience = 10 * time.Second

// adminHost is where a client on this machine reaches the admin listener.
func adminHost(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%sADMIN_LISTEN: %w", daemon.Prefix, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// askDaemon gets the status of a running daemon: one, or one for each org.
func askDaemon(ctx context.Context, listen string) ([]daemon.Status, error) {
	host, err := adminHost(listen)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/status.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := direct().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the admin address answers %s", resp.Status)
	}
	var told struct {
		daemon.Status
		Orgs []daemon.Status `json:"orgs"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&told); err != nil {
		return nil, fmt.Errorf("read the daemon's status: %w", err)
	}
	if told.Orgs != nil {
		return told.Orgs, nil
	}
	return []daemon.Status{told.Status}, nil
}

// direct is a client that no proxy sees anything of: what a daemon tells is for
// this machine.
func direct() *http.Client { return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} }

// someoneListens says whether there is a daemon to ask at all.
func someoneListens(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
