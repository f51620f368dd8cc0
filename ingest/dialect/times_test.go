package dialect

import "testing"

func TestDecimal(t *testing.T) {
	f := func(number string, unit int, want int64) {
		t.Helper()
		if got, ok := decimal(number, unit); !ok || got != want {
			t.Errorf("decimal(%q, %d) = %d, %v, want %d", number, unit, got, ok, want)
		}
	}
	f("7.62", seconds, 7620)
	f("0.0005", seconds, 1)
	f("0.00049999", seconds, 0)
	f("4.91e0", seconds, 4910)
	f("4.91E-3", seconds, 5)
	f("49100000", ticks, 4910)
	f("49105000", ticks, 4911)
	f("49104999", ticks, 4910)
	f("7", ticks, 0)
	f("4910", milliseconds, 4910)
	f("-1", seconds, -1000)
	f(".5", seconds, 500)
	f("1.7876e12", milliseconds, 1787600000000)

	bad := func(number string, unit int) {
		t.Helper()
		if got, ok := decimal(number, unit); ok {
			t.Errorf("decimal(%q, %d) = %d, want none", number, unit, got)
		}
	}
	for _, number := range []string{"", "-", ".", "x", "1x", "1.x", "1e", "1e9999", "1e400", "NaN", "Infinity", "--1", "99999999999999999999", "0x10", "1 2"} {
		bad(number, seconds)
	}
}

func TestDurations(t *testing.T) {
	f := func(read func(string) (int64, bool), s string, want int64) {
		t.Helper()
		if got, ok := read(s); !ok || got != want {
			t.Errorf("%q is %d, %v, want %d", s, got, ok, want)
		}
	}
	f(isoDuration, "PT4.91S", 4910)
	f(isoDuration, "PT1H2M3.5S", 3723500)
	f(isoDuration, "PT0S", 0)
	f(clock, "0:00:04", 4000)
	f(clock, "1:02:03.25", 3723250)
	f(clock, "02:03", 123000)
	f(timestamp, "2026-08-21T09:15:04.910Z", 1787303704910)
	f(timestamp, "2026-08-21T11:15:04.9104+02:00", 1787303704910)
	for _, s := range []string{"", "PT", "4.91S", "PT4.91", "PTxS", "PT1S2M", "P1D"} {
		if got, ok := isoDuration(s); ok {
			t.Errorf("isoDuration(%q) = %d, want none", s, got)
		}
	}
	for _, s := range []string{"", ":", "1:2:3:4", "-1:00", "1.5:00", "a:00"} {
		if got, ok := clock(s); ok {
			t.Errorf("clock(%q) = %d, want none", s, got)
		}
	}
	// The second is how one engine's documentation writes a time.
	for _, s := range []string{"", "2023-03-31T20:05.101Z", "yesterday"} {
		if got, ok := timestamp(s); ok {
			t.Errorf("timestamp(%q) = %d, want none", s, got)
		}
	}
}

func TestOrdered(t *testing.T) {
	f := func(start, end, want Instant) {
		t.Helper()
		if s, e := ordered(start, end); s != start || e != want {
			t.Errorf("ordered(%v, %v) = %v, %v, want the end %v", start, end, s, e, want)
		}
	}
	f(Offset(1), Offset(1), Offset(1))
	f(Offset(2), Offset(1), Instant{})
	f(Absolute(2), Absolute(1), Instant{})
	f(Absolute(2), Offset(1), Offset(1))
	f(Instant{}, Offset(1), Offset(1))
	f(Offset(1), Instant{}, Instant{})
}
