package ingest

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// isText tells text in a binary frame, which some relays send, from audio.
func isText(frame []byte) bool {
	return utf8.Valid(frame) && bytes.IndexByte(frame, 0) < 0
}

// valid makes a frame's bytes valid UTF-8, as asText does.
func valid(frame []byte) []byte {
	if utf8.Valid(frame) {
		return frame
	}
	return bytes.ToValidUTF8(frame, []byte("\uFFFD"))
}

// parts cuts a text into parts of at most size bytes, between words where that
// is possible.
func parts(text string, size int) []string {
	var all []string
	for len(text) > size {
		at := strings.LastIndexByte(text[:size+1], ' ')
		if at <= 0 {
			for at = size; at > 1 && !utf8.RuneStart(text[at]); at-- {
			}
		}
		all = append(all, strings.TrimSpace(text[:at]))
		text = strings.TrimSpace(text[at:])
	}
	return append(all, text)
}
