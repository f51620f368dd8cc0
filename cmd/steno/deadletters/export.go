package deadletters

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"example.com/steno/batcher/spool"
)

// message is what Salesforce's message object says.
type message struct {
	StartTime     int64  `json:"startTime"`
	EndTime       int64  `json:"endTime"`
	ParticipantID string `json:"participantId"`
	MessageID     string `json:"messageId"`
	SenderType    string `json:"senderType"`
	Content       string `json:"content"`
}

// conversation names a call.
type conversation struct{ org, call string }

// order puts letters into the order of an upload: conversation by conversation,
// the one that began first before the others, and in each by startTime. The
// upload keeps the order of its file and sorts nothing.
type order struct {
	numbers map[conversation]int
	first   []int64 // startTime of each conversation, by number
	letters []place
}

// place is where a letter belongs.
type place struct {
	conversation int
	start        int64
	id           spool.LetterID
}

func newOrder() *order { return &order{numbers: map[conversation]int{}} }

func (o *order) add(d *spool.DeadLetter) error {
	var m message
	if err := json.Unmarshal(d.Record.Message, &m); err != nil {
		return fmt.Errorf("%w: %d: its message is not JSON", spool.ErrDamaged, d.ID) // err may quote it
	}
	c := conversation{d.Record.Org, d.Record.Call}
	n, known := o.numbers[c]
	if !known {
		n = len(o.first)
		o.numbers[c] = n
		o.first = append(o.first, m.StartTime)
	}
	o.first[n] = min(o.first[n], m.StartTime)
	o.letters = append(o.letters, place{n, m.StartTime, d.ID})
	return nil
}

func (o *order) sorted() []spool.LetterID {
	slices.SortFunc(o.letters, func(a, b place) int {
		return cmp.Or(cmp.Compare(o.first[a.conversation], o.first[b.conversation]), a.conversation-b.conversation,
			cmp.Compare(a.start, b.start), cmp.Compare(a.id, b.id))
	})
	ids := make([]spool.LetterID, len(o.letters))
	for i, l := range o.letters {
		ids[i] = l.id
	}
	return ids
}

// upload writes the file of a Connect upload: for each conversation a line that
// names it, and then a line a message. The fields
// are what Salesforce's own sender for Amazon Connect writes. That sender also
// gives each entry the Salesforce id of the VoiceCall, as relatedRecords, which
// only the org knows.
type upload struct {
	w    io.Writer
	last conversation
	any  bool
	line bytes.Buffer
}

type header struct {
	ConversationID string `json:"conversationId"`
}

type entry struct {
	ConversationID      string `json:"conversationId"`
	ID                  string `json:"id"`
	ClientSentTimestamp int64  `json:"clientSentTimestamp"`
	ClientDuration      int64  `json:"clientDuration"`
	MessageText         string `json:"messageText"`
	Sender              sender `json:"sender"`
}

type sender struct {
	AppType string `json:"appType"`
	Subject string `json:"subject"`
	Role    string `json:"role"`
}

func (u *upload) write(d *spool.DeadLetter) error {
	var m message
	if err := json.Unmarshal(d.Record.Message, &m); err != nil {
		return nil // named by order
	}
	c := conversation{d.Record.Org, d.Record.Call}
	u.line.Reset()
	lines := json.NewEncoder(&u.line)
	lines.SetEscapeHTML(false)
	if !u.any || c != u.last {
		if err := lines.Encode(typed[header]{"conversation", header{c.call}}); err != nil {
			return err
		}
		u.any, u.last = true, c
	}
	if err := lines.Encode(typed[entry]{"conversationEntry", entry{
		ConversationID: c.call, ID: m.MessageID, ClientSentTimestamp: m.StartTime, ClientDuration: m.EndTime - m.StartTime,
		MessageText: m.Content, Sender: sender{"TELEPHONY_INTEGRATION", m.ParticipantID, role(m.SenderType)},
	}}); err != nil {
		return err
	}
	_, err := u.w.Write(u.line.Bytes())
	return err
}

// typed is a line: what it is, and what it says.
type typed[P any] struct {
	Type    string `json:"type"`
	Payload P      `json:"payload"`
}

// role is a senderType in the two words that Salesforce's own sender knows.
func role(senderType string) string {
	switch senderType {
	case "END_USER", "EXTERNAL_USER":
		return "CUSTOMER"
	default:
		return "AGENT"
	}
}
