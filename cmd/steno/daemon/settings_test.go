package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/steno/daemon"
)

// required are the settings without which there is no daemon.
var required = []string{
	"STENO_SF_LOGIN_URL=https://acme.my.salesforce.com", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=secret",
	"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
}

func with(vars ...string) []string { return append(slices.Clone(required), vars...) }

func TestDefaultsAreTheProtocols(t *testing.T) {
	s, err := daemon.ParseSettings(required)
	if err != nil {
		t.Fatal(err)
	}
	if s.Listen != ":8080" || s.AdminListen != "127.0.0.1:8081" || len(s.IngestTokens) != 0 || s.SFTimeout != 30*time.Second ||
		s.SFMaxInFlight != 64 || s.BatchMaxWait != 200*time.Millisecond || s.BatchMaxCalls != 5 || s.BatchMaxMessages != 5 ||
		s.BatchSpeakers != "one" || s.SpoolDir != "./steno-data" || s.SpoolURL != "" || s.DrainTimeout != 20*time.Second {
		t.Errorf("defaults %+v differ from the protocol page, section 4", s)
	}
}

func TestSettingsFaults(t *testing.T) {
	f := func(environ []string, wants ...string) {
		t.Helper()
		_, err := daemon.ParseSettings(environ)
		if !errors.Is(err, daemon.ErrSettings) {
			t.Errorf("%v: error %v, want one that is ErrSettings", environ, err)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: error %q, want it to say %q", environ[len(required):], err, want)
			}
		}
	}
	_, err := daemon.ParseSettings(nil)
	for _, name := range []string{"SF_LOGIN_URL", "SF_CLIENT_ID", "SF_CLIENT_SECRET", "SF_CALL_CENTER", "SF_CERT"} {
		if err == nil || !strings.Contains(err.Error(), `"STENO_`+name+`"`) {
			t.Errorf("without settings: %v, want every missing one, STENO_%s too", err, name)
		}
	}
	f(with("STENO_BATCH_MAX_WAIT=200"), "BatchMaxWait", "duration")
	f(with("STENO_BATCH_MAX_WAIT=-1s"), "STENO_BATCH_MAX_WAIT is -1s")
	f(with("STENO_BATCH_MAX_CALLS=6", "STENO_BATCH_MAX_MESSAGES=0"), "STENO_BATCH_MAX_CALLS is 6: must be from 1 to 5", "STENO_BATCH_MAX_MESSAGES is 0")
	f(with("STENO_BATCH_SPEAKERS=two"), `STENO_BATCH_SPEAKERS is "two": must be one or mixed`)
	f(with("STENO_SF_MAX_IN_FLIGHT="), "STENO_SF_MAX_IN_FLIGHT is set but empty")
	f(with("STENO_INGEST_TOKENS="), "STENO_INGEST_TOKENS is set but empty") // an open door by accident
	f(with("STENO_INGEST_TOKENS=a,,b"), "STENO_INGEST_TOKENS is empty in place 2")
	f(with("STENO_SF_CLIENT_SECRET="), "STENO_SF_CLIENT_SECRET")
	f(with("STENO_SF_LOGIN_URL=acme.my.salesforce.com"), "STENO_SF_LOGIN_URL")
	f(with("STENO_SF_TIMEOUT=0s"), "STENO_SF_TIMEOUT is 0s: must be above 0")
	f(with("STENO_DRAIN_TIMEOUT=0s"), "STENO_DRAIN_TIMEOUT")
	f(with("STENO_LOG_LEVEL=loud"), `STENO_LOG_LEVEL is "loud"`)
	f(with("STENO_LOG_FORMAT=xml"), `STENO_LOG_FORMAT is "xml"`)
	f(with("STENO_SPOOL_SYNC=never"), `STENO_SPOOL_SYNC is "never": must be always or interval`)
	f(with("STENO_SPOOL_MAX_BYTES=1000"), "STENO_SPOOL_MAX_BYTES is 1000")
	f(with("STENO_SPOOL_MAX_AGE=-1s"), "STENO_SPOOL_MAX_AGE")
	f(with("STENO_DEADLETTERS_MAX_AGE=-1s", "STENO_DEADLETTERS_MAX_BYTES=1000"), "STENO_DEADLETTERS_MAX_AGE is -1s", "STENO_DEADLETTERS_MAX_BYTES is 1000")
	f(with("STENO_SPOOL_KEY="), "STENO_SPOOL_KEY is set but empty") // a spool in the clear by accident
}

func TestSecretsComeFromFilesToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := slices.DeleteFunc(with("STENO_SF_CLIENT_SECRET_FILE="+file), func(v string) bool { return strings.HasPrefix(v, "STENO_SF_CLIENT_SECRET=") })
	s, err := daemon.ParseSettings(environ)
	if err != nil || s.SFClientSecret != "from the file" {
		t.Errorf("secret %q, error %v, want the file's without its line break", s.SFClientSecret, err)
	}
	if err := os.WriteFile(file, []byte("nats://u:p@a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = daemon.ParseSettings(with("STENO_SPOOL_URL_FILE=" + file)); err != nil || s.SpoolURL != "nats://u:p@a" {
		t.Errorf("the spool's URL, which has a password: %q, error %v", s.SpoolURL, err)
	}
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = daemon.ParseSettings(with("STENO_SPOOL_URL_FILE=" + file)); err == nil || !strings.Contains(err.Error(), "STENO_SPOOL_URL_FILE: "+file+" is empty") {
		t.Errorf("a file with nothing in it: %v, want an error: the spool must not be another one by accident", err)
	}
	if s, err = daemon.ParseSettings(with("STENO_SPOOL_URL=")); err != nil || s.SpoolURL != "" {
		t.Errorf("an empty URL: %q, error %v, want none", s.SpoolURL, err)
	}
	if _, err := daemon.ParseSettings(with("STENO_SF_CLIENT_SECRET_FILE=" + file)); err == nil || !strings.Contains(err.Error(), "both set") {
		t.Errorf("both set: %v, want an error", err)
	}
	if _, err := daemon.ParseSettings(with("STENO_INGEST_TOKENS_FILE=" + file + "x")); err == nil || !strings.Contains(err.Error(), "STENO_INGEST_TOKENS_FILE") {
		t.Errorf("a file that is not there: %v, want an error", err)
	}
}

func TestFaultsDoNotTellSecrets(t *testing.T) {
	for _, v := range []string{
		"STENO_INGEST_TOKENS=hush-hush,,x", "STENO_SPOOL_URL=nats://u:hu%sh@a:4222", "STENO_SPOOL_URL=nats://u:ok@a,u:hush#@b",
		"STENO_CLUSTER_SYSTEM_URL=nats://u:hush/hush@a:4222",
	} {
		name, _, _ := strings.Cut(v, "=")
		_, err := daemon.ParseSettings(with(v, "STENO_BATCH_MAX_CALLS=9"))
		if err == nil || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu%") || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one of %s without the secret", err, name)
		}
	}
	if _, err := daemon.ParseSettings(with("STENO_SPOOL_URL=nats://u:p%2Fw@a:4222, b, tls://[::1]:4222")); err != nil {
		t.Errorf("good URLs: %v", err)
	}
}

func TestUnknownVariables(t *testing.T) {
	got := daemon.UnknownVariables(with("STENO_BATCH_MAXWAIT=1s", "STENO_INGEST_TOKENS_FILE=x", "STENO_LISTEN_FILE=x", "HOME=/"))
	if want := []string{"STENO_BATCH_MAXWAIT", "STENO_LISTEN_FILE"}; !slices.Equal(got, want) {
		t.Errorf("unknown variables %v, want %v", got, want)
	}
}

func TestEverySettingIsDocumented(t *testing.T) {
	for _, s := range daemon.AllSettings() {
		if s.Doc == "" || s.Name == "STENO_" {
			t.Errorf("setting %+v lacks its name or sentence", s)
		}
	}
}

// Each partition may have one request in flight: more of them than the org may
// have is worth a word.
func TestMorePartitionsThanRequests(t *testing.T) {
	f := func(partitions, inFlight int, want bool) {
		t.Helper()
		s, err := daemon.ParseSettings(with("STENO_CLUSTER_LISTEN=127.0.0.1:1", "STENO_CLUSTER_KEY=k", "STENO_SPOOL_URL=nats://a", "STENO_SF_ORG=acme",
			fmt.Sprint("STENO_CLUSTER_PARTITIONS=", partitions), fmt.Sprint("STENO_SF_MAX_IN_FLIGHT=", inFlight)))
		if err != nil {
			t.Fatal(err)
		}
		if w := s.Warnings(); len(w) != 0 != want || want && !strings.Contains(w[0], `org "acme" has 9 partitions and may have 8 requests`) {
			t.Errorf("%d partitions, %d in flight: %q", partitions, inFlight, w)
		}
	}
	f(8, 8, false)
	f(9, 8, true)
}
