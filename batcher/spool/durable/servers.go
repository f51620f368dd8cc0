package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
)

// answersEnd is for how long no server may answer before all have.
const answersEnd = 500 * time.Millisecond

// CheckServers asks every server of an external JetStream whether it syncs
// always, without which a power cut of all of them loses what was acknowledged,
// and whether there are as many as the streams have replicas. No client can
// learn that by itself: only the system account is told, so the URL must have a
// user of it. A server that is down at the moment cannot be asked, and one that
// is started with other settings later is not found out.
func CheckServers(ctx context.Context, systemURL string, replicas int) error {
	conn, err := nats.Connect(systemURL, nats.Name("steno check"))
	if err != nil {
		return fmt.Errorf("connect to the servers' system account: %w", err)
	}
	defer conn.Close()
	answers, err := askServers(ctx, conn)
	if err != nil {
		return err
	}
	var faults []error
	for _, a := range answers {
		switch sync := a.Data.JetStream.Config; {
		case sync == nil:
			faults = append(faults, fmt.Errorf("server %s has no JetStream", a.Server.Name))
		case !sync.Always:
			faults = append(faults, fmt.Errorf("server %s syncs every %v: sync_interval must be always", a.Server.Name, sync.Interval))
		}
	}
	if len(answers) < replicas {
		faults = append(faults, fmt.Errorf("%d servers answer: %d replicas need as many", len(answers), replicas))
	}
	return errors.Join(faults...)
}

// serverAnswer is what of a server's answer counts.
type serverAnswer struct {
	Server struct {
		Name string `json:"name"`
	} `json:"server"`
	Data struct {
		JetStream struct {
			Config *struct {
				Interval time.Duration `json:"sync_interval"`
				Always   bool          `json:"sync_always"`
			} `json:"config"`
		} `json:"jetstream"`
	} `json:"data"`
}

// askServers returns the answers, by name. There is no list of who must answer.
func askServers(ctx context.Context, conn *nats.Conn) (answers []serverAnswer, err error) {
	inbox := conn.NewInbox()
	sub, err := conn.SubscribeSync(inbox)
	if err == nil {
		err = conn.PublishRequest("$SYS.REQ.SERVER.PING.VARZ", inbox, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("ask the servers how they sync: %w", err)
	}
	for wait := 4 * answersEnd; ; wait = answersEnd {
		some, cancel := context.WithTimeout(ctx, wait)
		m, err := sub.NextMsgWithContext(some)
		cancel()
		if err != nil {
			break
		}
		var a serverAnswer
		if err := json.Unmarshal(m.Data, &a); err != nil {
			return nil, fmt.Errorf("understand how a server syncs: %w", err)
		}
		if a.Server.Name == "" { // there are no responders: it is not the system account
			break
		}
		answers = append(answers, a)
	}
	if len(answers) == 0 {
		return nil, errors.New("no server says how it syncs: the URL's user must be one of the system account")
	}
	slices.SortFunc(answers, func(a, b serverAnswer) int {
		if a.Server.Name < b.Server.Name {
			return -1
		}
		return 1
	})
	return answers, nil
}
