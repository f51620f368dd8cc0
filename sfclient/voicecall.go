package sfclient

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// VoiceCall is a call that begins: createVoiceCall's fields. Times are sent in
// whole seconds of UTC, the only form that Salesforce documents.
type VoiceCall struct {
	VendorCallKey     string        `json:"vendorCallKey"`               // required; the call's unique id in the telephony system
	To                string        `json:"to"`                          // required
	From              string        `json:"from"`                        // required
	InitiationMethod  string        `json:"initiationMethod"`            // required: Inbound or Transfer; Salesforce takes no outbound calls here
	StartTime         time.Time     `json:"startTime"`                   // required
	Participants      []Participant `json:"participants"`                // required; only the first END_USER counts
	CallAttributes    string        `json:"callAttributes,omitempty"`    // custom fields: a JSON object as a string
	ParentVoiceCallID string        `json:"parentVoiceCallId,omitempty"` // required for Transfer
	CallOrigin        string        `json:"callOrigin,omitempty"`        // Preview, Progressive or Voicemail
	Queue             string        `json:"queue,omitempty"`
}

// Participant is somebody in a call.
type Participant struct {
	ParticipantKey string     `json:"participantKey"`
	Type           SenderType `json:"type"`
}

// CreatedCall is what createVoiceCall answers.
type CreatedCall struct {
	VoiceCallID string   `json:"voiceCallId"`        // Salesforce's own id
	Warnings    []string `json:"warnings,omitempty"` // the call is created, but a custom field was refused
}

// VoiceCallUpdate is a call that has changed or ended: updateVoiceCall's fields.
// Salesforce wants it sent once a call: a second one overwrites NumberOfHolds,
// TotalHoldDuration and AgentInteractionDuration.
type VoiceCallUpdate struct {
	VoiceCallID string `json:"voiceCallId"` // required: Salesforce's id, or the vendorCallKey

	// IsActiveCall keeps the conversation open. It is always sent: false
	// closes it, and Salesforce then takes no more of its transcript.
	IsActiveCall bool `json:"isActiveCall"`

	StartTime   time.Time `json:"startTime,omitzero"` // Salesforce computes the duration only from StartTime and EndTime both
	EndTime     time.Time `json:"endTime,omitzero"`   // sent rounded up, so that the last words stay inside the call
	EnqueueTime time.Time `json:"enqueueTime,omitzero"`
	AcceptTime  time.Time `json:"acceptTime,omitzero"`

	FromNumber string `json:"fromNumber,omitempty"`
	CallOrigin string `json:"callOrigin,omitempty"`
	Queue      string `json:"queue,omitempty"`
	Agent      string `json:"agent,omitempty"`

	NumberOfHolds            *int `json:"numberOfHolds,omitempty"`            // nil: leave as it is
	AgentInteractionDuration *int `json:"agentInteractionDuration,omitempty"` // seconds; nil: leave as it is
	LongestHoldDuration      *int `json:"longestHoldDuration,omitempty"`      // seconds; nil: leave as it is
	TotalHoldDuration        *int `json:"totalHoldDuration,omitempty"`        // seconds; nil: leave as it is
	TotalRecordingDuration   *int `json:"totalRecordingDuration,omitempty"`   // seconds; nil: leave as it is

	RecordingLocation string            `json:"recordingLocation,omitempty"`
	CallAttributes    string            `json:"callAttributes,omitempty"` // custom fields: a JSON object as a string
	DisconnectReason  *DisconnectReason `json:"disconnectReason,omitempty"`
}

// DisconnectReason says how a call ended; Value is CALLBACK for an accepted
// callback.
type DisconnectReason struct {
	Value   string `json:"value"`
	IsError bool   `json:"isError"`
}

// OmniFlow asks where to route a call: executeOmniFlow's fields. The settings
// of the phone channel for DialedNumber go before FlowDevName and FallbackQueue.
type OmniFlow struct {
	VoiceCallID         string         `json:"voiceCallId"`  // required: Salesforce's id, or the vendorCallKey
	DialedNumber        string         `json:"dialedNumber"` // required
	FlowDevName         string         `json:"flowDevName,omitempty"`
	FallbackQueue       string         `json:"fallbackQueue,omitempty"` // developer name or id
	FlowInputParameters map[string]any `json:"flowInputParameters,omitempty"`
}

// Routing is what executeOmniFlow answers: external ids of the call centre's
// routing map. Either may be empty, both if the flow names none.
type Routing struct {
	Queue string `json:"queue"`
	Agent string `json:"agent"`
}

// CreateVoiceCall creates the call's record and opens its conversation. It is
// for a call that begins now: an org takes 50 a second.
func (c *Client) CreateVoiceCall(ctx context.Context, call VoiceCall) (CreatedCall, error) {
	faults := missing(
		"vendorCallKey", call.VendorCallKey, "to", call.To, "from", call.From, "initiationMethod", call.InitiationMethod)
	switch call.InitiationMethod {
	case "", "Inbound":
	case "Transfer":
		faults = append(faults, missing("parentVoiceCallId", call.ParentVoiceCallID)...)
	default:
		faults = append(faults, fmt.Sprintf("initiationMethod is %q: must be Inbound or Transfer", call.InitiationMethod))
	}
	if call.StartTime.IsZero() {
		faults = append(faults, "startTime is empty")
	}
	if len(call.Participants) == 0 {
		faults = append(faults, "participants is empty")
	}
	for i, p := range call.Participants {
		place := fmt.Sprintf("participants[%d].", i)
		faults = append(faults, missing(place+"participantKey", p.ParticipantKey, place+"type", string(p.Type))...)
	}
	faults = append(faults, attributeFaults(call.CallAttributes)...)
	call.StartTime = seconds(call.StartTime)
	ok, err := c.sendCall(ctx, EndpointCreateVoiceCall, call, faults)
	if err != nil {
		return CreatedCall{}, err
	}
	return CreatedCall{VoiceCallID: ok.fields.VoiceCallID, Warnings: ok.warnings}, nil
}

// UpdateVoiceCall changes the call's record, or makes one for a call that has
// none, and closes the conversation unless IsActiveCall is set. Salesforce does
// it later: the status it answers is "pending", and cannot be asked for again.
func (c *Client) UpdateVoiceCall(ctx context.Context, update VoiceCallUpdate) (status string, err error) {
	faults := append(missing("voiceCallId", update.VoiceCallID), attributeFaults(update.CallAttributes)...)
	if !update.StartTime.IsZero() && !update.EndTime.IsZero() && update.EndTime.Before(update.StartTime) {
		faults = append(faults, "endTime is before startTime")
	}
	update.StartTime = seconds(update.StartTime)
	update.EnqueueTime = seconds(update.EnqueueTime)
	update.AcceptTime = seconds(update.AcceptTime)
	if !update.EndTime.IsZero() {
		update.EndTime = seconds(update.EndTime.Add(time.Second - 1))
	}
	ok, err := c.sendCall(ctx, EndpointUpdateVoiceCall, update, faults)
	if err != nil {
		return "", err
	}
	return ok.fields.Status, nil
}

// ExecuteOmniFlow runs the routing flow for a call and says where it leads.
func (c *Client) ExecuteOmniFlow(ctx context.Context, flow OmniFlow) (Routing, error) {
	faults := missing("voiceCallId", flow.VoiceCallID, "dialedNumber", flow.DialedNumber)
	ok, err := c.sendCall(ctx, EndpointExecuteOmniFlow, flow, faults)
	if err != nil {
		return Routing{}, err
	}
	return Routing{Queue: ok.fields.Queue, Agent: ok.fields.Agent}, nil
}

// ClearRouting deletes the call's pending routing, which is needed for a missed
// or abandoned call. voiceCallID is Salesforce's id, or the vendorCallKey.
func (c *Client) ClearRouting(ctx context.Context, voiceCallID string) (status string, err error) {
	body := struct {
		VoiceCallID string `json:"voiceCallId"`
	}{voiceCallID}
	ok, err := c.sendCall(ctx, EndpointClearRouting, body, missing("voiceCallId", voiceCallID))
	if err != nil {
		return "", err
	}
	return ok.fields.Status, nil
}

// sendCall renders and sends the body of an endpoint about a call, unless it
// has faults.
func (c *Client) sendCall(ctx context.Context, endpoint string, body any, faults []string) (*accepted, error) {
	if len(faults) > 0 {
		return nil, rejected(endpoint, faults)
	}
	object, err := json.Marshal(body)
	if err != nil {
		return nil, &Error{Endpoint: endpoint, cause: err, verdict: Reject}
	}
	ok, e := c.send(ctx, request{endpoint: endpoint, body: spliced(append([]byte(nil), c.names...), object)})
	if e != nil {
		return nil, e
	}
	return ok, nil
}

// missing returns a fault for every required field, given as name and value,
// that is empty.
func missing(pairs ...string) []string {
	var faults []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			faults = append(faults, pairs[i]+" is empty")
		}
	}
	return faults
}

// attributeFaults checks callAttributes, which is JSON inside of JSON.
func attributeFaults(attributes string) []string {
	var object map[string]any
	if attributes != "" && json.Unmarshal([]byte(attributes), &object) != nil {
		return []string{"callAttributes is not a JSON object in a string"}
	}
	return nil
}

// seconds cuts a time to whole seconds of UTC; the zero time stays zero.
func seconds(t time.Time) time.Time {
	return t.UTC().Truncate(time.Second)
}
