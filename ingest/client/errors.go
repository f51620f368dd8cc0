package client

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/websocket"
)

var (
	// ErrClosed is what a stream returns that was closed, and a client that has
	// stopped because it was.
	ErrClosed = errors.New("closed")

	// ErrUnauthorized means that the server does not let this client in.
	ErrUnauthorized = errors.New("not authorised")

	// ErrReplaced means that another client has opened one of the streams. Two
	// that fight for a stream would go on for ever, so this one stops; where it
	// has only just come back, at the second time.
	ErrReplaced = errors.New("replaced by another client")

	// ErrTooLarge is returned for a message that no server would take.
	ErrTooLarge = fmt.Errorf("more than a frame of %d bytes holds", maxMessage)
)

// StreamError is the server's refusal of a stream. What it held is lost, and
// was reported to OnNack.
type StreamError struct {
	Stream string
	Code   string // of the protocol: invalid, unknown_org, duplicate_stream, …
	Text   string // in words, for people
}

// Error says which stream was refused, and why.
func (e *StreamError) Error() string {
	return fmt.Sprintf("stream %q was refused: %s: %s", e.Stream, e.Code, e.Text)
}

// CloseError is a close code after which another attempt would end the same
// way: the client and the server disagree about the protocol.
type CloseError struct {
	Code int
	Text string
}

// Error names the close code and the server's words.
func (e *CloseError) Error() string {
	return fmt.Sprintf("the server has closed the connection for good: %d %s", e.Code, e.Text)
}

// handshakeError is an HTTP answer that is not 101.
type handshakeError struct {
	status int
}

func (e *handshakeError) Error() string {
	return fmt.Sprintf("the handshake was answered with %d %s", e.status, http.StatusText(e.status))
}

// Close codes of the protocol that RFC 6455 does not know.
const (
	closeNotProtocol = 4400
	closeReplaced    = 4409
)

// fatal returns what the client stops with because of err, or nil where another
// connection may help. 1000 is no reason to stop: a server that has not been
// asked to close still owes us its acknowledgements.
func fatal(err error) error {
	if e, ok := errors.AsType[*handshakeError](err); ok {
		if e.status == http.StatusUnauthorized || e.status == http.StatusForbidden {
			return fmt.Errorf("%w: %w", ErrUnauthorized, e)
		}
		return nil
	}
	e, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		return nil
	}
	switch e.Code {
	case closeReplaced:
		return fmt.Errorf("%w: %s", ErrReplaced, e.Text)
	case websocket.ClosePolicyViolation:
		return fmt.Errorf("%w: %s", ErrUnauthorized, e.Text)
	case closeNotProtocol, websocket.CloseUnsupportedData, websocket.CloseMessageTooBig:
		return &CloseError{e.Code, e.Text}
	}
	return nil
}
