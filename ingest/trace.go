package ingest

import (
	"strings"
)

// traceparent reads the W3C trace context that a client's `open` carries. As
// that standard asks, one that is not well formed is as good as none: a trace
// is worth nobody's call.
func traceparent(v value) string {
	// version 00: 2 hex - 32 hex - 16 hex - 2 hex
	parts := strings.Split(v.text, "-")
	if !v.isString() || len(parts) != 4 || parts[0] != "00" {
		return ""
	}
	for i, length := range []int{2, 32, 16, 2} {
		zero := strings.Trim(parts[i], "0") == ""
		if len(parts[i]) != length || strings.Trim(parts[i], "0123456789abcdef") != "" || zero && (i == 1 || i == 2) {
			return ""
		}
	}
	return strings.Clone(v.text)
}
