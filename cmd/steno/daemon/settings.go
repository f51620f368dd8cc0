package daemon

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/internal/cli"
)

// Prefix stands before the name of every setting in the environment.
const Prefix = "STENO_"

// Settings are all that the daemon is told from outside. This struct is the
// one source of what --help, the README's table and the parser know of them:
// env is the variable without Prefix, doc its sentence, org the field of an org
// in the orgs file. A secret also comes as the variable with _FILE behind it,
// which names a file; secret says "may be empty" of a variable that is
// as good as unset then, which is no accident.
type Settings struct {
	OrgsFile    string `env:"ORGS_FILE" doc:"YAML or JSON: several orgs, each with settings of its own; SIGHUP reads it again. Then STENO_SF_… are only what an org leaves out"`
	Listen      string `env:"LISTEN" envDefault:":8080" doc:"address of the ingest doors"`
	AdminListen string `env:"ADMIN_LISTEN" envDefault:"127.0.0.1:8081" doc:"address for the monitor page, health, metrics, dead letters and profiles"`

	IngestTokens         []string      `env:"INGEST_TOKENS" org:"tokens" secret:"true" doc:"who may speak to the ingest doors, comma separated; none: only clients on this machine"`
	IngestQueryToken     bool          `env:"INGEST_QUERY_TOKEN" envDefault:"false" doc:"also take the token from ?token=, for engines that cannot send headers; it then stands in other people's access logs"`
	IngestWindow         int           `env:"INGEST_WINDOW" envDefault:"256" doc:"utterances of a stream that may wait for their acknowledgement"`
	IngestResume         time.Duration `env:"INGEST_RESUME" envDefault:"5m" doc:"how long a stream that lost its connection may come back"`
	IngestMaxContent     int           `env:"INGEST_MAX_CONTENT" envDefault:"32768" doc:"bytes of text in one utterance"`
	IngestMaxConnections int           `env:"INGEST_MAX_CONNECTIONS" envDefault:"25000" doc:"connections at once"`
	IngestMaxStreams     int           `env:"INGEST_MAX_STREAMS" envDefault:"1000" doc:"streams open at once on one connection"`
	IngestMaxRate        int           `env:"INGEST_MAX_RATE" envDefault:"20000" doc:"messages a second on one connection"`

	SFLoginURL     string        `env:"SF_LOGIN_URL,required,notEmpty" org:"login_url" doc:"https://<domain>.my.salesforce.com; the token is asked for at /services/oauth2/token"`
	SFClientID     string        `env:"SF_CLIENT_ID,required,notEmpty" org:"client_id" doc:"consumer key of the connected app"`
	SFClientSecret string        `env:"SF_CLIENT_SECRET,required,notEmpty" org:"client_secret" secret:"true" doc:"consumer secret of the connected app"`
	SFCallCenter   string        `env:"SF_CALL_CENTER,required,notEmpty" org:"call_center" doc:"callCenterDevName"`
	SFCert         string        `env:"SF_CERT,required,notEmpty" org:"cert" doc:"certDevName"`
	SFOrg          string        `env:"SF_ORG" org:"name" doc:"the org's name; set, a client that names another one is refused"`
	SFTimeout      time.Duration `env:"SF_TIMEOUT" org:"timeout" envDefault:"30s" doc:"longest time for one request; Salesforce itself may take 10 s"`
	SFMaxInFlight  int           `env:"SF_MAX_IN_FLIGHT" org:"max_in_flight" envDefault:"64" doc:"requests at once, all calls together"`

	APIReserve     float64 `env:"API_RESERVE" org:"api_reserve" envDefault:"0.2" doc:"share of the org's daily API requests that is left to others, from 0 to 0.99"`
	APIDailyBudget int64   `env:"API_DAILY_BUDGET" org:"api_daily_budget" envDefault:"0" doc:"the org's API requests a day, where Salesforce does not tell. 0: unknown"`

	BatchMaxWait     time.Duration `env:"BATCH_MAX_WAIT" org:"batch.max_wait" envDefault:"200ms" doc:"an utterance waits no longer than this for company"`
	BatchStretchWait time.Duration `env:"BATCH_STRETCH_WAIT" org:"batch.stretch_wait" envDefault:"5s" doc:"what the wait for company may be stretched to where the org's daily API requests would not last; not above STENO_BATCH_MAX_WAIT: never"`
	BatchMaxCalls    int           `env:"BATCH_MAX_CALLS" org:"batch.max_calls" envDefault:"5" doc:"entries in a request, at most 5"`
	BatchMaxMessages int           `env:"BATCH_MAX_MESSAGES" org:"batch.max_messages" envDefault:"5" doc:"messages in an entry, at most 5"`
	BatchSpeakers    string        `env:"BATCH_SPEAKERS" org:"batch.speakers" envDefault:"one" doc:"one or mixed: may an entry mix speakers"`
	BatchGrace       time.Duration `env:"BATCH_GRACE" org:"batch.grace" envDefault:"30s" doc:"how long Salesforce may not know a call before what it said is rejected"`
	BatchEndGrace    time.Duration `env:"BATCH_END_GRACE" org:"batch.end_grace" envDefault:"5m" doc:"how long after a call's end what it said may still be sent; later it is rejected, since Salesforce takes no more of a closed conversation"`

	SpoolDir      string        `env:"SPOOL_DIR" envDefault:"./steno-data" doc:"where acknowledged utterances are kept until Salesforce has them; memory: nowhere, they die with the process"`
	SpoolURL      string        `env:"SPOOL_URL" secret:"may be empty" doc:"nats://…: an external JetStream in place of the embedded one"`
	SpoolSync     string        `env:"SPOOL_SYNC" envDefault:"always" doc:"always: on the disk before the acknowledgement; interval: a power cut may cost what was acknowledged in the last seconds, in the worst case the whole spool"`
	SpoolMaxBytes int64         `env:"SPOOL_MAX_BYTES" org:"spool.max_bytes" envDefault:"8589934592" doc:"bytes on the disk; at the limit nothing more is acknowledged until there is room"`
	SpoolMaxAge   time.Duration `env:"SPOOL_MAX_AGE" org:"spool.max_age" envDefault:"0s" doc:"while an utterance waits for longer, nothing more is acknowledged; it is not dropped. 0s: no limit"`
	SpoolKey      string        `env:"SPOOL_KEY" secret:"true" doc:"encrypts the spool on the disk; who loses it loses what waits"`

	DeadLettersMaxAge   time.Duration `env:"DEADLETTERS_MAX_AGE" org:"deadletters.max_age" envDefault:"720h" doc:"how long a rejected utterance is kept. 0s: no limit"`
	DeadLettersMaxBytes int64         `env:"DEADLETTERS_MAX_BYTES" org:"deadletters.max_bytes" envDefault:"1073741824" doc:"bytes of rejected utterances that are kept; above it the oldest is dropped"`

	MonitorText  string   `env:"MONITOR_TEXT" envDefault:"off" doc:"on: the monitor page shows what is said in the calls, to everybody who reaches the admin address. It is personal data"`
	MonitorHosts []string `env:"MONITOR_HOSTS" doc:"names under which browsers may ask for the monitor page, beside addresses, localhost and the host of STENO_ADMIN_LISTEN, comma separated"`

	Probe     time.Duration `env:"PROBE" envDefault:"0s" doc:"every so often a marked utterance goes through the whole flow to the call STENO_PROBE_CALL, and is measured. 0s: never"`
	ProbeCall string        `env:"PROBE_CALL" org:"probe_call" doc:"vendorCallKey of the test call that probes are sent to; Salesforce must know it"`

	ClusterListen     string `env:"CLUSTER_LISTEN" doc:"address for the other daemons of a cluster, with STENO_SPOOL_URL of its JetStream; none: this daemon is alone"`
	ClusterAddress    string `env:"CLUSTER_ADDRESS" doc:"host:port by which the other daemons reach that address; none: STENO_CLUSTER_LISTEN, which then must name a host"`
	ClusterName       string `env:"CLUSTER_NAME" doc:"this daemon's name in the cluster, the same after a restart; none: the machine's"`
	ClusterKey        string `env:"CLUSTER_KEY" secret:"true" doc:"by which the daemons of a cluster know each other; the same on every daemon"`
	ClusterPartitions int    `env:"CLUSTER_PARTITIONS" envDefault:"1" org:"partitions" doc:"parts into which a cluster divides an org's calls, from 1 to 1024; the same on every daemon. One daemon alone has one"`
	ClusterReplicas   int    `env:"CLUSTER_REPLICAS" envDefault:"3" doc:"JetStream servers that keep each utterance of a cluster: 3, or 1 for tests"`
	ClusterSystemURL  string `env:"CLUSTER_SYSTEM_URL" secret:"true" doc:"nats://…: the same servers, with a user of their system account: start and steno check then ask whether all of them sync always; none: nobody asks"`

	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"20s" doc:"after SIGTERM: how long what was accepted may take to reach Salesforce"`
	LogFormat    string        `env:"LOG_FORMAT" envDefault:"auto" doc:"text, json, or auto: text on a terminal, else JSON"`
	LogLevel     string        `env:"LOG_LEVEL" envDefault:"info" doc:"debug, info, warn or error"`

	orgs []Org // what OrgsFile says
}

// many says that a daemon has several pipelines, or none: of several orgs, or of
// some of a cluster's partitions. What it shows then names them.
func (s *Settings) many() bool { return s.Several() || s.Clustered() }

// ErrSettings is in every error that the settings are to blame for.
const ErrSettings = cli.UsageError("settings")

// ParseSettings reads the settings from an environment in os.Environ's shape.
// The error names every fault that there is, by variable.
func ParseSettings(environ []string) (Settings, error) {
	vars := env.ToMap(environ)
	faults := readSecretFiles(vars)
	faults = append(faults, emptyVariables(vars)...)
	s, err := env.ParseAsWithOptions[Settings](env.Options{Environment: vars, Prefix: Prefix})
	wrong := []error{err}
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		wrong = all.Errors
	}
	wrong = slices.DeleteFunc(wrong, func(err error) bool { return err == nil || s.Several() && isMissing(err) })
	faults = append(faults, wrong...)
	if len(wrong) == 0 {
		for _, f := range s.check() {
			faults = append(faults, f)
		}
	}
	if s.Several() {
		orgs, wrong := s.readOrgs()
		s.orgs, faults = orgs, append(faults, wrong...)
	}
	if len(faults) > 0 {
		return Settings{}, fmt.Errorf("%w: %w", ErrSettings, errors.Join(faults...))
	}
	return s, nil
}

// isMissing is a fault only where there is no orgs file: an org may have the
// value of its own.
func isMissing(err error) bool {
	var key string
	if unset, ok := errors.AsType[env.VarIsNotSetError](err); ok {
		key = unset.Key
	} else if empty, ok := errors.AsType[env.EmptyVarError](err); ok {
		key = empty.Key
	}
	return key != "" && settingOf(key).OrgField != ""
}

// fault is a value that makes no sense.
type fault struct {
	name string // the variable's, without Prefix
	text string // as a sentence that begins with the name
}

func (f fault) Error() string { return Prefix + f.name + " " + f.text }

// of is the setting that is at fault.
func (f fault) of() Setting { return settingOf(Prefix + f.name) }

// check finds the values that parse and still make no sense.
func (s *Settings) check() (faults []fault) {
	fault := func(bad bool, name, format string, args ...any) {
		if bad {
			faults = append(faults, fault{name, fmt.Sprintf(format, args...)})
		}
	}
	between := func(name string, v, low, high int) {
		fault(v < low || v > high, name, "is %d: must be from %d to %d", v, low, high)
	}
	positive := func(name string, d time.Duration) {
		fault(d <= 0, name, "is %v: must be above 0", d)
	}
	between("BATCH_MAX_CALLS", s.BatchMaxCalls, 1, 5)
	between("BATCH_MAX_MESSAGES", s.BatchMaxMessages, 1, 5)
	between("SF_MAX_IN_FLIGHT", s.SFMaxInFlight, 1, 10_000)
	between("INGEST_WINDOW", s.IngestWindow, 1, 1<<16)
	between("INGEST_MAX_CONTENT", s.IngestMaxContent, 1, 1<<20)
	between("INGEST_MAX_CONNECTIONS", s.IngestMaxConnections, 1, 1<<20)
	between("INGEST_MAX_STREAMS", s.IngestMaxStreams, 1, 1<<20)
	between("INGEST_MAX_RATE", s.IngestMaxRate, 1, 1<<30)
	positive("SF_TIMEOUT", s.SFTimeout)
	positive("INGEST_RESUME", s.IngestResume)
	positive("DRAIN_TIMEOUT", s.DrainTimeout)
	positive("BATCH_END_GRACE", s.BatchEndGrace)
	fault(!(s.APIReserve >= 0 && s.APIReserve <= 0.99), "API_RESERVE", "is %v: must be from 0 to 0.99", s.APIReserve)
	fault(s.APIDailyBudget < 0, "API_DAILY_BUDGET", "is %d: must not be below 0", s.APIDailyBudget)
	fault(s.BatchStretchWait < 0, "BATCH_STRETCH_WAIT", "is %v: must not be below 0", s.BatchStretchWait)
	fault(s.BatchMaxWait < 0, "BATCH_MAX_WAIT", "is %v: must not be below 0", s.BatchMaxWait)
	fault(s.BatchGrace < 0, "BATCH_GRACE", "is %v: must not be below 0", s.BatchGrace)
	fault(s.BatchSpeakers != "one" && s.BatchSpeakers != "mixed", "BATCH_SPEAKERS", "is %q: must be one or mixed", s.BatchSpeakers)
	fault(s.LogFormat != "auto" && s.LogFormat != "text" && s.LogFormat != "json", "LOG_FORMAT", "is %q: must be auto, text or json", s.LogFormat)
	_, err := s.level()
	fault(err != nil, "LOG_LEVEL", "is %q: must be debug, info, warn or error", s.LogLevel)
	u, err := url.Parse(s.SFLoginURL)
	fault(s.SFLoginURL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http"), "SF_LOGIN_URL", "is %q: must be a URL such as https://<domain>.my.salesforce.com", s.SFLoginURL)
	fault(s.SpoolSync != durable.SyncAlways && s.SpoolSync != durable.SyncInterval, "SPOOL_SYNC", "is %q: must be always or interval", s.SpoolSync)
	fault(s.Probe < 0 || s.Probe > 0 && s.Probe < time.Second, "PROBE", "is %v: must be 0s or at least 1s", s.Probe)
	fault(s.Probe > 0 && s.ProbeCall == "" && !s.Several(), "PROBE_CALL", "is missing: STENO_PROBE needs a test call to send to")
	fault(s.MonitorText != "on" && s.MonitorText != "off", "MONITOR_TEXT", "is %q: must be on or off", s.MonitorText)
	fault(s.SpoolMaxBytes < 1<<20, "SPOOL_MAX_BYTES", "is %d: must be at least 1048576", s.SpoolMaxBytes)
	fault(s.SpoolMaxAge < 0, "SPOOL_MAX_AGE", "is %v: must not be below 0", s.SpoolMaxAge)
	fault(s.DeadLettersMaxAge < 0, "DEADLETTERS_MAX_AGE", "is %v: must not be below 0", s.DeadLettersMaxAge)
	fault(s.DeadLettersMaxBytes < 1<<20, "DEADLETTERS_MAX_BYTES", "is %d: must be at least 1048576", s.DeadLettersMaxBytes)
	fault(s.Several() && s.SpoolURL != "" && !s.Clustered(), "SPOOL_URL", "is set beside STENO_ORGS_FILE: several orgs need a spool each, which they have in STENO_SPOOL_DIR, or in a cluster")
	fault(!natsURLs(s.SpoolURL), "SPOOL_URL", noNatsURL)
	fault(!natsURLs(s.ClusterSystemURL), "CLUSTER_SYSTEM_URL", noNatsURL)
	s.checkCluster(fault)
	between("CLUSTER_PARTITIONS", s.ClusterPartitions, 1, 1024)
	for i, t := range s.IngestTokens {
		fault(strings.TrimSpace(t) == "", "INGEST_TOKENS", "is empty in place %d", i+1)
	}
	return faults
}

// Setting is one setting as people read of it.
type Setting struct {
	Name       string // with Prefix
	Default    string
	Required   bool
	Secret     bool // also comes as Name_FILE
	MayBeEmpty bool // of a secret: set but empty is unset
	List       bool
	OrgField   string // its name in an org of the orgs file; empty: it is the daemon's
	Doc        string

	index []int // of its field in Settings
}

// AllSettings lists the settings in the order of the struct.
func AllSettings() []Setting {
	var all []Setting
	for f := range reflect.TypeFor[Settings]().Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		if name == "" {
			continue // no setting: what others say
		}
		all = append(all, Setting{
			Name: Prefix + name, Default: f.Tag.Get("envDefault"), Doc: f.Tag.Get("doc"),
			Required: strings.Contains(options, "required"), Secret: f.Tag.Get("secret") != "", MayBeEmpty: f.Tag.Get("secret") == "may be empty",
			List: f.Type.Kind() == reflect.Slice, OrgField: f.Tag.Get("org"), index: f.Index,
		})
	}
	return all
}

// settingOf is the setting of that variable.
func settingOf(name string) (s Setting) {
	for _, s := range AllSettings() {
		if s.Name == name {
			return s
		}
	}
	return s
}

// UnknownVariables are those with Prefix that are no settings: most likely
// somebody mistyped one. They are no error, because an orchestrator puts
// variables of its own into the environment of a service called steno.
func UnknownVariables(environ []string) []string {
	known := map[string]bool{}
	for _, s := range AllSettings() {
		known[s.Name] = true
		known[s.Name+"_FILE"] = s.Secret
	}
	var unknown []string
	for _, line := range environ {
		if name, _, _ := strings.Cut(line, "="); strings.HasPrefix(name, Prefix) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// readSecretFiles puts the content of X_FILE into X.
func readSecretFiles(vars map[string]string) (faults []error) {
	for _, s := range AllSettings() {
		file, set := vars[s.Name+"_FILE"]
		if !s.Secret || !set {
			continue
		}
		if _, both := vars[s.Name]; both {
			faults = append(faults, fmt.Errorf("%s and %s_FILE are both set: which one counts?", s.Name, s.Name))
			continue
		}
		content, err := readSecret(file)
		if err == nil && content == "" {
			err = fmt.Errorf("%s is empty", file)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s_FILE: %w", s.Name, err))
			continue
		}
		vars[s.Name] = content
	}
	return faults
}

func readSecret(file string) (string, error) {
	content, err := os.ReadFile(file)
	return strings.TrimRight(string(content), "\r\n"), err
}

// emptyVariables are set and empty where a value is needed. The parser would
// take the default for them, which is not what whoever wrote them sees.
func emptyVariables(vars map[string]string) (faults []error) {
	for _, s := range AllSettings() {
		if v, set := vars[s.Name]; set && v == "" && (s.Default != "" || s.Secret && !s.MayBeEmpty) && !s.Required {
			faults = append(faults, fmt.Errorf("%s is set but empty: unset it for the default or give it a value", s.Name))
		}
	}
	return faults
}
