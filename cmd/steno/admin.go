package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// daemonStatus is what a running daemon says of itself: the status of the one thing
// that it works on, or an overview, whose Orgs are not nil then.
type daemonStatus struct {
	daemon.Overview
	only daemon.Status
}

// each is the status of all that the daemon works on.
func (t daemonStatus) each() []daemon.Status {
	if t.Orgs == nil {
		return []daemon.Status{t.only}
	}
	return t.Orgs
}

// askDaemon asks a running daemon.
func askDaemon(ctx context.Context, listen string) (t daemonStatus, err error) {
	host, err := adminHost(listen)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/status.json", nil)
	if err != nil {
		return t, err
	}
	resp, err := direct().Do(req)
	if err != nil {
		return t, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return t, fmt.Errorf("the admin address answers %s", resp.Status)
	}
	body, err := io.ReadAll(resp.Body)
	if err == nil {
		err = errors.Join(json.Unmarshal(body, &t.Overview), json.Unmarshal(body, &t.only))
	}
	if err != nil {
		return t, fmt.Errorf("read the daemon's status: %w", err)
	}
	return t, nil
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
