package main

import (
	"context"

	"example.com/steno/cmd/internal/cli"
	"example.com/steno/sfclient"
)

type transcriptCommands struct {
	Send sendCommand `cmd:"" help:"createTranscriptMessage: one message."`
	Bulk bulkCommand `cmd:"" help:"createBulkTranscriptMessages: {\"entries\":[…]} on stdin."`
}

type sendCommand struct {
	orgFlag
	Call        string `help:"vendorCallKey. Without it the fields come as JSON on stdin, with the key as vendorCallKey."`
	ID          string `help:"messageId, unique in the call."`
	Participant string `help:"participantId; default: the call's key and the sender type."`
	Sender      string `help:"senderType." default:"END_USER"`
	Start       int64  `help:"startTime, UTC milliseconds since the epoch."`
	End         int64  `help:"endTime, the same; default: the start."`
	Text        string `help:"content."`
}

// Run sends one message.
func (c sendCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	given := struct {
		VendorCallKey string `json:"vendorCallKey"`
		sfclient.Message
	}{c.Call, sfclient.Message{
		StartTime: c.Start, EndTime: max(c.Start, c.End), ParticipantID: c.Participant, MessageID: c.ID,
		SenderType: sfclient.SenderType(c.Sender), Content: c.Text,
	}}
	if c.Participant == "" {
		given.ParticipantID = c.Call + c.Sender
	}
	if c.Call == "" {
		given.Message = sfclient.Message{}
		if err := readJSON(p, &given); err != nil {
			return err
		}
	}
	accepted, err := client.CreateTranscriptMessage(ctx, given.VendorCallKey, given.Message)
	return answer(p, told(accepted), err)
}

type bulkCommand struct{ orgFlag }

// Run sends up to five entries of up to five messages each.
func (c bulkCommand) Run(ctx context.Context, p cli.Process) error {
	client, err := c.newClient(p)
	if err != nil {
		return err
	}
	var given struct {
		Entries []sfclient.Entry `json:"entries"`
	}
	if err := readJSON(p, &given); err != nil {
		return err
	}
	accepted, err := client.CreateBulkTranscriptMessages(ctx, given.Entries)
	return answer(p, told(accepted), err)
}

// refusal is what Salesforce did not take of one call.
type refusal struct {
	VendorCallKey string   `json:"vendorCallKey"`
	Status        int      `json:"status"`
	Verdict       string   `json:"verdict"`
	Messages      []string `json:"messages,omitempty"`
	IDs           []string `json:"ids,omitempty"`
}

// told is Salesforce's answer to transcript messages, as it is printed.
func told(a *sfclient.Answer) any {
	if a == nil {
		return nil
	}
	out := struct {
		Result  string    `json:"result"`
		Refused []refusal `json:"refused,omitempty"`
	}{Result: "Accepted"}
	for _, e := range a.Refused {
		out.Result = "Accepted in part"
		out.Refused = append(out.Refused, refusal{e.VendorCallKey, e.Status, e.Verdict().String(), e.Messages, e.IDs})
	}
	return out
}
