package load

import (
	"bytes"
	"strconv"
	"time"
)

// mark is what an utterance of a load carries in its message id.
type mark struct {
	call   int           // from 0
	seq    uint64        // in its call, from 1
	due    time.Duration // since the load began, in whole microseconds
	urgent bool
}

// append writes the mark as a message id: call.seq.due.urgent.
func (m mark) append(b []byte) []byte {
	b = strconv.AppendInt(b, int64(m.call), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, m.seq, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, m.due.Microseconds(), 10)
	if m.urgent {
		return append(b, ".1"...)
	}
	return append(b, ".0"...)
}

// parseMark reads a message id; ok is false for one that no load has written.
func parseMark(id []byte) (m mark, ok bool) {
	var parts [4]uint64
	for i := range parts {
		part := id
		if i < len(parts)-1 {
			var found bool
			if part, id, found = bytes.Cut(id, []byte(".")); !found {
				return mark{}, false
			}
		}
		if parts[i], ok = digits(part); !ok {
			return mark{}, false
		}
	}
	if parts[0] >= maxCalls || parts[2] > 1<<50 || parts[3] > 1 {
		return mark{}, false
	}
	return mark{int(parts[0]), parts[1], time.Duration(parts[2]) * time.Microsecond, parts[3] == 1}, parts[1] > 0
}

// maxCalls bounds the call numbers that are believed: the book has a line for each.
const maxCalls = 10_000_000

func digits(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, len(b) > 0 && len(b) <= 18
}
