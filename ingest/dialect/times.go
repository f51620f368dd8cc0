package dialect

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// Instant is a time of an engine's: an offset from the session's time zero, or
// a time of the world. The zero Instant is unknown.
type Instant struct {
	ms   int64
	kind instantKind
}

type instantKind uint8

const (
	unknownInstant instantKind = iota
	offsetInstant
	absoluteInstant
)

// Offset is ms milliseconds after the session's time zero.
func Offset(ms int64) Instant { return Instant{ms, offsetInstant} }

// Absolute is ms milliseconds after the epoch.
func Absolute(ms int64) Instant { return Instant{ms, absoluteInstant} }

// Known says whether there is a time at all.
func (i Instant) Known() bool { return i.kind != unknownInstant }

// Offset returns the milliseconds since the session's time zero, if that is
// what the instant is.
func (i Instant) Offset() (ms int64, ok bool) { return i.ms, i.kind == offsetInstant }

// Absolute returns the milliseconds since the epoch, if that is what the
// instant is.
func (i Instant) Absolute() (ms int64, ok bool) { return i.ms, i.kind == absoluteInstant }

// Plus is the instant d milliseconds later; an unknown one stays unknown.
func (i Instant) Plus(ms int64) Instant {
	if i.Known() {
		i.ms += ms
	}
	return i
}

// The unit systems, as powers of ten of a millisecond: 10^unit of them are one.
const (
	seconds      = -3
	milliseconds = 0
	ticks        = 4 // of 100 ns
)

// maxTime bounds what is believed: an offset of three years or a time in the
// year 5138 is a fault, and bounded numbers do not overflow when added.
const maxTime = 100_000_000_000_000

// decimal reads a JSON number, or a string that holds one, as milliseconds,
// rounded half up. Arithmetic is on decimal digits: in floating point 7.62 s
// would be 7619 ms.
func decimal(number string, unit int) (ms int64, ok bool) {
	number = strings.TrimSpace(number)
	negative := strings.HasPrefix(number, "-")
	if number == "" || number == "-" {
		return 0, false
	}
	mantissa, exponent, ok := cutExponent(strings.TrimPrefix(strings.TrimPrefix(number, "-"), "+"))
	if !ok {
		return 0, false
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" {
		return 0, false
	}
	// The digits before the point, moved by what unit and exponent say.
	point := len(whole) + exponent - unit
	digits := whole + fraction
	for i := 0; i <= point; i++ {
		d := int64(0)
		if i < len(digits) {
			if digits[i] < '0' || digits[i] > '9' {
				return 0, false
			}
			d = int64(digits[i] - '0')
		}
		if i == point {
			if d >= 5 {
				ms++
			}
			break
		}
		if ms = ms*10 + d; ms > maxTime {
			return 0, false
		}
	}
	for i := max(0, point+1); i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	if negative {
		ms = -ms
	}
	return ms, true
}

// cutExponent parts 1.5e3 into 1.5 and 3.
func cutExponent(number string) (mantissa string, exponent int, ok bool) {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return number, 0, true
	}
	digits := strings.TrimPrefix(number[i+1:], "+")
	sign := 1
	if strings.HasPrefix(digits, "-") {
		sign, digits = -1, digits[1:]
	}
	if digits == "" || len(digits) > 3 {
		return "", 0, false
	}
	for _, d := range []byte(digits) {
		if d < '0' || d > '9' {
			return "", 0, false
		}
		exponent = exponent*10 + int(d-'0')
	}
	return number[:i], sign * exponent, true
}

// isoDuration reads an ISO 8601 duration of hours, minutes and seconds such as
// PT4.91S or PT1H2M3S.
func isoDuration(s string) (ms int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "PT")
	if !ok || rest == "" {
		return 0, false
	}
	for _, part := range []struct {
		letter string
		ms     int64
	}{{"H", 3_600_000}, {"M", 60_000}, {"S", 1_000}} {
		number, after, found := strings.Cut(rest, part.letter)
		if !found {
			continue
		}
		thousandths, ok := decimal(number, seconds) // of the part's unit
		if !ok || thousandths > maxTime/part.ms {
			return 0, false
		}
		ms += thousandths * part.ms / 1000
		rest = after
	}
	return ms, rest == "" && ms <= maxTime
}

// clock reads H:MM:SS, MM:SS or SS, each with a fraction of the seconds or
// without.
func clock(s string) (ms int64, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return 0, false
	}
	for i, part := range parts {
		n, ok := decimal(part, seconds)
		if !ok || n < 0 || i < len(parts)-1 && n%1000 != 0 {
			return 0, false
		}
		if ms = ms*60 + n; ms > maxTime {
			return 0, false
		}
	}
	return ms, true
}

// timestamp reads an ISO 8601 time with a zone, as milliseconds since the
// epoch, rounded half up. Where it is malformed, as in one engine's own
// documentation, the time is unknown.
func timestamp(s string) (ms int64, ok bool) {
	if len(s) > 64 {
		return 0, false // a fault is not parsed thrice, and copied into an error each time
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			ms = t.Add(500 * time.Microsecond).UnixMilli()
			return ms, ms > 0 && ms <= maxTime
		}
	}
	return 0, false
}

// in reads a number, or a string that holds one, as an offset in unit.
// Negative offsets, which some engines use for "none", are unknown, also where
// they are a fraction of a millisecond.
func in(unit int, v gjson.Result) Instant {
	if v.Type != gjson.Number && v.Type != gjson.String {
		return Instant{}
	}
	number := v.Raw
	if v.Type == gjson.String {
		number = v.Str
	}
	ms, ok := decimal(number, unit)
	if !ok || strings.HasPrefix(strings.TrimSpace(number), "-") {
		return Instant{}
	}
	return Offset(ms)
}

// after is the instant a duration after an offset, both in unit. They are
// added before they are rounded.
func after(unit int, offset, duration gjson.Result) Instant {
	const micro = -3 // powers of ten between a millisecond and a microsecond
	a, aKnown := in(unit+micro, offset).Offset()
	b, bKnown := in(unit+micro, duration).Offset()
	if !aKnown || !bKnown {
		return Instant{}
	}
	return Offset((a + b + 500) / 1000)
}

// moment is a time of the world in ISO 8601. One without a zone is in UTC.
func moment(v gjson.Result) Instant {
	for _, zone := range []string{"", "Z"} {
		if ms, ok := timestamp(v.Str + zone); ok {
			return Absolute(ms)
		}
	}
	return Instant{}
}

// since makes an offset from a known moment a time of the world.
func since(began int64, i Instant) Instant {
	if ms, ok := i.Offset(); ok {
		return Absolute(began + ms)
	}
	return i
}

func offsetOf(ms int64, ok bool) Instant {
	if !ok {
		return Instant{}
	}
	return Offset(ms)
}

// ordered lets no time span end before it starts: such an end is a fault of
// the engine's, and unknown.
func ordered(start, end Instant) (Instant, Instant) {
	if start.kind == end.kind && end.ms < start.ms {
		end = Instant{}
	}
	return start, end
}

// ordered is the event with its times in order.
func (e Event) ordered() Event {
	e.Start, e.End = ordered(e.Start, e.End)
	return e
}
