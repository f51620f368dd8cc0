package workload

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// maxLine is the longest line that Read takes, in bytes. Real lines have a
	// few hundred.
	maxLine = 1 << 20

	// maxOffset refuses times of day, which are the commonest mistake in a
	// recording made elsewhere: the offsets of a call stay far below it.
	maxOffset = 24 * time.Hour
)

// line is one line of a recording. Pointers tell what is missing from what
// is zero.
type line struct {
	Call    *string `json:"call"`
	Seq     *int    `json:"seq"`
	Role    *string `json:"role"`
	StartMS *int64  `json:"start_ms"`
	EndMS   *int64  `json:"end_ms"`
	Text    *string `json:"text"`
}

// Read reads a recording: one JSON object a line, empty lines ignored, fields
// that it does not know ignored. The lines of several calls may be mixed; the
// calls come in the order of their first lines, and within a call seq rises
// from line to line. An error names the line, counted from 1, and the field.
// A recording without any call is an error.
func Read(r io.Reader) ([]Call, error) {
	var calls []Call
	index := make(map[string]int) // by call id, into calls
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		id, u, err := parse(scanner.Bytes())
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		i, known := index[id]
		if !known {
			i = len(calls)
			index[id] = i
			calls = append(calls, Call{ID: id})
		}
		c := &calls[i]
		if last := len(c.Utterances) - 1; last >= 0 && u.Seq <= c.Utterances[last].Seq {
			return nil, fmt.Errorf("line %d: field seq: is %d, and must be above %d, the one before it in its call",
				n, u.Seq, c.Utterances[last].Seq)
		}
		c.Utterances = append(c.Utterances, u)
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("line %d: is longer than %d bytes", n+1, maxLine)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read line %d: %w", n+1, err)
	}
	if len(calls) == 0 {
		return nil, errors.New("the recording holds no call")
	}
	return calls, nil
}

// parse turns one line into the utterance and the id of its call. Its errors
// never quote what was said.
func parse(b []byte) (id string, u Utterance, err error) {
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return "", Utterance{}, fmt.Errorf("field %s: is a JSON %s, and must be of type %s", wrong.Field, wrong.Value, wrong.Type)
		}
		return "", Utterance{}, fmt.Errorf("must be one JSON object: %w", err)
	}
	if err := l.complete(); err != nil {
		return "", Utterance{}, err
	}
	return l.utterance()
}

// complete says which field is missing, if one is.
func (l *line) complete() error {
	for _, field := range []struct {
		name    string
		missing bool
	}{
		{"call", l.Call == nil},
		{"seq", l.Seq == nil},
		{"role", l.Role == nil},
		{"start_ms", l.StartMS == nil},
		{"end_ms", l.EndMS == nil},
		{"text", l.Text == nil},
	} {
		if field.missing {
			return fmt.Errorf("field %s: is missing", field.name)
		}
	}
	return nil
}

// utterance checks the values of a complete line.
func (l *line) utterance() (id string, u Utterance, err error) {
	u = Utterance{Seq: *l.Seq, Text: *l.Text}
	switch {
	case *l.Call == "":
		err = errors.New("field call: is empty")
	case u.Seq < 1:
		err = fmt.Errorf("field seq: is %d, and must be at least 1", u.Seq)
	case *l.Role != "agent" && *l.Role != "caller":
		err = fmt.Errorf("field role: is %q, and must be agent or caller", *l.Role)
	case *l.StartMS < 0:
		err = fmt.Errorf("field start_ms: is %d, and must be at least 0", *l.StartMS)
	case *l.EndMS <= *l.StartMS:
		err = fmt.Errorf("field end_ms: is %d, and must be above start_ms, %d", *l.EndMS, *l.StartMS)
	case *l.EndMS > maxOffset.Milliseconds():
		err = fmt.Errorf("field end_ms: is %d, and must be at most %d: it counts from the beginning of the call",
			*l.EndMS, maxOffset.Milliseconds())
	case strings.TrimSpace(u.Text) == "":
		err = errors.New("field text: is empty")
	}
	if err != nil {
		return "", Utterance{}, err
	}
	u.Role = Agent
	if *l.Role == "caller" {
		u.Role = Caller
	}
	u.Start = time.Duration(*l.StartMS) * time.Millisecond
	u.End = time.Duration(*l.EndMS) * time.Millisecond
	return *l.Call, u, nil
}

// Open reads the recording at path, which is gzip where the name ends in .gz.
// The rules are those of Read; every error names the path, and one about a
// file that is not there is fs.ErrNotExist.
func Open(path string) ([]Call, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open a recording: %w", err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("unzip the recording %s: %w", path, err)
		}
		r = unzipped
	}
	calls, err := Read(r)
	if err != nil {
		return nil, fmt.Errorf("read the recording %s: %w", path, err)
	}
	return calls, nil
}
