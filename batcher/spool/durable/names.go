package durable

import (
	"fmt"
	"regexp"
	"strings"
)

// names are those of one spool's streams and subjects in a JetStream that may
// hold many. Everywhere else they are as in a store that holds only one: STENO_SPOOL
// is STENO_SPOOL@acme-0 in the spool acme-0, and steno.spool.p0 is
// steno.at.acme-0.spool.p0.
type names struct {
	spool string // empty: the one without a name
}

// nameOK is what a name may be: it is a part of subjects and of streams' names.
var nameOK = regexp.MustCompile(`^[A-Za-z0-9=_-]{0,200}$`)

func checkName(name string) error {
	if !nameOK.MatchString(name) {
		return fmt.Errorf("name is %q: may have letters, digits, =, _ and - and be at most 200 long", name)
	}
	return nil
}

func (n names) stream(ours string) string {
	if n.spool == "" {
		return ours
	}
	return ours + "@" + n.spool
}

// ours is the name that a stream has for us; false: it is another spool's.
func (n names) ours(stream string) (string, bool) {
	if n.spool == "" {
		return stream, !strings.Contains(stream, "@")
	}
	return strings.CutSuffix(stream, "@"+n.spool)
}

func (n names) subject(ours string) string {
	if n.spool == "" {
		return ours
	}
	return "steno.at." + n.spool + strings.TrimPrefix(ours, "steno")
}

// every is where all that the spool publishes is found. The one without a name
// finds others' there too.
func (n names) every() string { return n.subject("steno.>") }

func (n names) lease() string {
	if n.spool == "" {
		return leaseKey
	}
	return leaseKey + "." + n.spool
}
