package main

import (
	"context"
	"time"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/sfclient"
)

type callCommands struct {
	Create       createCommand       `cmd:"" help:"createVoiceCall: a call begins."`
	Update       updateCommand       `cmd:"" help:"updateVoiceCall: close a conversation, or with --active only change its record."`
	Route        routeCommand        `cmd:"" help:"executeOmniFlow: where should the call go?"`
	ClearRouting clearRoutingCommand `cmd:"" help:"clearRouting: for a missed or abandoned call."`
}

type createCommand struct {
	orgFlag
	Key        string    `help:"vendorCallKey. Without it the fields come as JSON on stdin."`
	To         string    `help:"The number that was called."`
	From       string    `help:"The number that called; also the end user's participantKey."`
	Initiation string    `help:"Inbound or Transfer." default:"Inbound"`
	Parent     string    `help:"parentVoiceCallId, for a Transfer."`
	Start      time.Time `help:"When the call began (RFC 3339); default: now."`
	Queue      string    `help:"The queue."`
}

// Run creates the call.
func (c createCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	call := sfclient.VoiceCall{
		VendorCallKey: c.Key, To: c.To, From: c.From, InitiationMethod: c.Initiation, StartTime: c.Start,
		ParentVoiceCallID: c.Parent, Queue: c.Queue,
		Participants: []sfclient.Participant{{ParticipantKey: c.From, Type: sfclient.EndUser}},
	}
	if call.StartTime.IsZero() {
		call.StartTime = time.Now()
	}
	if c.Key == "" {
		call = sfclient.VoiceCall{}
		if err := readJSON(p, &call); err != nil {
			return err
		}
	}
	created, err := client.CreateVoiceCall(ctx, call)
	return answer(p, created, err)
}

type updateCommand struct {
	orgFlag
	ID     string    `help:"voiceCallId, or the vendorCallKey. Without it the fields come as JSON on stdin."`
	Active bool      `help:"isActiveCall: keep the conversation open. Without it Salesforce closes it and takes no more of its transcript: end the call in the daemon first."`
	Start  time.Time `help:"startTime (RFC 3339)."`
	End    time.Time `help:"endTime (RFC 3339)."`
	Queue  string    `help:"The queue."`
	Agent  string    `help:"The agent."`
}

// Run updates the call.
func (c updateCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	update := sfclient.VoiceCallUpdate{VoiceCallID: c.ID, IsActiveCall: c.Active, StartTime: c.Start, EndTime: c.End, Queue: c.Queue, Agent: c.Agent}
	if c.ID == "" {
		update = sfclient.VoiceCallUpdate{}
		if err := readJSON(p, &update); err != nil {
			return err
		}
	}
	status, err := client.UpdateVoiceCall(ctx, update)
	return answer(p, map[string]string{"status": status}, err)
}

type routeCommand struct {
	orgFlag
	ID       string            `help:"voiceCallId, or the vendorCallKey. Without it the fields come as JSON on stdin."`
	Dialed   string            `help:"dialedNumber."`
	Flow     string            `help:"flowDevName."`
	Fallback string            `help:"fallbackQueue."`
	Input    map[string]string `help:"flowInputParameters, as name=value."`
}

// Run asks where to route the call.
func (c routeCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	flow := sfclient.OmniFlow{VoiceCallID: c.ID, DialedNumber: c.Dialed, FlowDevName: c.Flow, FallbackQueue: c.Fallback}
	if len(c.Input) > 0 {
		flow.FlowInputParameters = map[string]any{}
	}
	for name, value := range c.Input {
		flow.FlowInputParameters[name] = value
	}
	if c.ID == "" {
		flow = sfclient.OmniFlow{}
		if err := readJSON(p, &flow); err != nil {
			return err
		}
	}
	routing, err := client.ExecuteOmniFlow(ctx, flow)
	return answer(p, routing, err)
}

type clearRoutingCommand struct {
	orgFlag
	ID string `help:"voiceCallId, or the vendorCallKey. Without it {\"voiceCallId\":…} comes on stdin."`
}

// Run clears the call's pending routing.
func (c clearRoutingCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	given := struct {
		VoiceCallID string `json:"voiceCallId"`
	}{c.ID}
	if c.ID == "" {
		if err := readJSON(p, &given); err != nil {
			return err
		}
	}
	status, err := client.ClearRouting(ctx, given.VoiceCallID)
	return answer(p, map[string]string{"status": status}, err)
}
