package sfclient

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says which org to talk to, and as whom.
type Config struct {
	// LoginURL is the org's own address, https://<domain>.my.salesforce.com,
	// without a path; the token is asked for at its /services/oauth2/token.
	// A loopback address may be plain http.
	LoginURL string

	// ClientID and ClientSecret are the connected app's consumer key and
	// consumer secret.
	ClientID, ClientSecret string

	// CallCenter and Cert go into every body as callCenterDevName and
	// certDevName.
	CallCenter, Cert string

	// Timeout bounds one attempt of one request, from the dial to the last
	// byte of the answer. Zero: 30s. The wrapper waits up to 10s for its own
	// call to Salesforce, so a shorter one makes slow successes ambiguous.
	Timeout time.Duration

	// Transport carries the requests. Nil: one of its own, made to reuse
	// connections.
	Transport http.RoundTripper

	// MaxInFlight is how many requests the caller has in flight at once: as
	// many idle connections are kept. Zero: 64. Unused with a Transport.
	MaxInFlight int

	// Logger takes one line for each change of the token's state, never text
	// nor secrets. Nil: discard.
	Logger *slog.Logger
}

const (
	defaultTimeout     = 30 * time.Second
	defaultMaxInFlight = 64
)

// check returns every fault at once, each with its field's name.
func (cfg Config) check() error {
	var faults []error
	for _, f := range []struct{ name, value string }{
		{"LoginURL", cfg.LoginURL},
		{"ClientID", cfg.ClientID},
		{"ClientSecret", cfg.ClientSecret},
		{"CallCenter", cfg.CallCenter},
		{"Cert", cfg.Cert},
	} {
		if f.value == "" {
			faults = append(faults, fmt.Errorf("%s is empty", f.name))
		}
	}
	if cfg.LoginURL != "" {
		if _, err := orgBase(cfg.LoginURL); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", "LoginURL", err))
		}
	}
	if cfg.Timeout < 0 {
		faults = append(faults, fmt.Errorf("%s is %v: must not be negative", "Timeout", cfg.Timeout))
	}
	if cfg.MaxInFlight < 0 {
		faults = append(faults, fmt.Errorf("%s is %d: must not be negative", "MaxInFlight", cfg.MaxInFlight))
	}
	return errors.Join(faults...)
}

// orgBase checks an org's address and returns its scheme and host, to which a
// path can be appended. Salesforce answers the wrapper's endpoints with 401 on
// any host but my.salesforce.com, and a secret or token sent to a wrong host is
// lost: so the host is checked before anything goes out.
func orgBase(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("is not a URL") // url.Error would quote a password.
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errors.New("must begin with https://")
	case host == "":
		return "", errors.New("has no host")
	case u.User != nil:
		return "", errors.New("must not hold a user or password")
	case u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("must not have a query or fragment")
	case u.Path != "" && u.Path != "/":
		return "", fmt.Errorf("must not have a path, has %q", u.Path)
	case isLoopback(host):
	case !strings.HasSuffix(host, ".my.salesforce.com"):
		return "", fmt.Errorf("host %q does not end in .my.salesforce.com", host)
	case u.Scheme != "https":
		return "", fmt.Errorf("must be https for host %q", host)
	}
	return u.Scheme + "://" + u.Host, nil
}

// isLoopback reports whether the host is this machine.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// newTransport keeps a connection for every request in flight. It speaks
// HTTP/1.1 only: with HTTP/2 all requests share a connection, and its loss
// would make all of them ambiguous at once, not one.
func newTransport(maxInFlight int) *http.Transport {
	if maxInFlight == 0 {
		maxInFlight = defaultMaxInFlight
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: maxInFlight,
		IdleConnTimeout:     60 * time.Second,
		WriteBufferSize:     10 << 10, // 25 usual messages leave in one write, and each connection has one.
		DisableCompression:  true,     // Answers are shorter than a gzip header is worth.
		Protocols:           protocols,
	}
}
