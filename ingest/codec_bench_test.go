package ingest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tidwall/gjson"
)

// What taking a message apart costs, by the codec: the standard library into a
// struct, gjson as what is unusual still goes, and the one pass of readFlat. At
// 5,000 messages a second the daemon spends some 70 µs on each, most of them to
// be woken, to read, to sync and to answer; the codec decides about two.
//
// go test -run '^$' -bench Codec -count 6 -cpu 1 ./ingest
func BenchmarkCodec(b *testing.B) {
	frame := fmt.Appendf(nil, benchUtterance, 1)
	b.Run("codec=std", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m struct {
				Type, Stream, Channel, Content, MessageID string
				Seq                                       uint64
				StartOffset, EndOffset                    *int64
			}
			if err := json.Unmarshal(frame, &m); err != nil || m.Seq != 1 || m.Content == "" {
				b.Fatal(err, m)
			}
		}
	})
	b.Run("codec=gjson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text, fields := asText(frame), 0
			if !gjson.Valid(text) {
				b.Fatal("not JSON")
			}
			gjson.Parse(text).ForEach(func(_, v gjson.Result) bool {
				fields++
				return v.Exists()
			})
			if fields != 7 {
				b.Fatal(fields, "fields")
			}
		}
	})
	b.Run("codec=own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var m message
			if !m.readFlat(asText(frame)) || absent(m.content) {
				b.Fatal("not read")
			}
		}
	})
}
