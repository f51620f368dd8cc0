// Package sfclient is a client for the Service Cloud Voice API wrapper of b+s
// Connects: the token and the six endpoints, usable alone.
//
//	engines → ingest → spool → batcher → [sfclient] → Salesforce
//
// What it promises: a request is sent once, and once more only after a token
// that had run out was renewed; whatever goes wrong is one *Error, which knows
// whether Salesforce may have seen the request (Ambiguous) and what to do next
// (Verdict). There is no retry loop in here: when to repeat is the caller's
// decision.
//
//	client, err := sfclient.New(sfclient.Config{
//		LoginURL: "https://acme.my.salesforce.com", ClientID: id, ClientSecret: secret,
//		CallCenter: "acmeCenter", Cert: "acmeCert",
//	})
//	...
//	answer, err := client.CreateBulkTranscriptMessages(ctx, entries)
//	if e, ok := errors.AsType[*sfclient.Error](err); ok {
//		switch e.Verdict() {
//		case sfclient.Retry, sfclient.Throttle:
//			// Send the same again, later.
//		...
//		}
//		return // There is no answer.
//	}
//	for _, entry := range entries {
//		if refused := answer.Entry(entry.VendorCallKey); refused != nil {
//			// This call's own trouble; the other calls' messages are accepted.
//		}
//	}
//
// A Client is safe for use by many goroutines at once. How many requests are
// in flight is theirs to bound; Config.MaxInFlight only sizes the pool of idle
// connections.
//
// # Privacy
//
// The client logs neither text nor secrets. An Error's Messages are the org's
// own words and may quote what was sent, so its LogValue leaves them out unless
// the fault is one of configuration.
package sfclient
