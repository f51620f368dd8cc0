package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/batcher/spool/durable"
	"example.com/steno/cmd/internal/cli"
)

// TestReadmeDeadLetters types what the README shows of dead letters, and wants
// what it shows. With -update it writes what there is.
func TestReadmeDeadLetters(t *testing.T) {
	content, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(content), "```console\n")
	shown, after, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("the README has no transcript")
	}
	environ := []string{
		"STENO_SF_LOGIN_URL=https://acme.my.salesforce.com", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center",
		"STENO_SF_CERT=cert", "STENO_ADMIN_LISTEN=" + freeAddress(t), "STENO_SPOOL_DIR=" + rejected(t),
	}
	var typed bytes.Buffer
	for line := range strings.Lines(shown) {
		command, isCommand := strings.CutPrefix(line, "$ steno ")
		if !isCommand {
			continue
		}
		typed.WriteString(line)
		p := cli.Process{Args: strings.Fields(command), Environ: environ, Stdin: strings.NewReader(""), Stdout: &typed, Stderr: &typed}
		if code := program().Run(t.Context(), p); code != cli.Done {
			t.Errorf("%s ends with %d", strings.TrimSpace(line), code)
		}
	}
	if typed.String() == shown {
		return
	}
	if !*update {
		t.Fatalf("the README shows\n%s\nand this is what there is:\n%s", shown, typed.String())
	}
	if err := os.WriteFile(readme, []byte(before+"```console\n"+typed.String()+"```\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// rejected is the directory of a stopped daemon with three dead letters.
func rejected(t *testing.T) string {
	dir := t.TempDir()
	s, err := durable.Open(t.Context(), durable.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 25, 9, 30, 0, 0, time.UTC)
	for i, l := range []struct{ call, sender, text, reason, words string }{
		{"b09955ce", "HUMAN_AGENT", "Your new card is on its way.", "invalid", "400: Error Processing Transcript with Id(s) [b09955ce-17]. Error: participantId"},
		{"7c1e02aa", "END_USER", "Hello?", "paused", "409: Transcription paused for participant"},
		{"7c1e02aa", "END_USER", "Are you still there?", "paused", "409: Transcription paused for participant"},
	} {
		spoken := at.Add(time.Duration(i) * 4 * time.Second)
		id := fmt.Sprintf("%s-%d", l.call, 17+i)
		r := &spool.Record{
			Call: l.call, Stream: spool.StreamID{Call: l.call, ID: "leg-1"}, Epoch: "e", Seq: uint64(17 + i), MessageID: id, Received: spoken.Add(1900 * time.Millisecond),
			Message: fmt.Appendf(nil, `{"startTime":%d,"endTime":%d,"participantId":%q,"messageId":%q,"senderType":%q,"content":%q}`,
				spoken.UnixMilli(), spoken.UnixMilli()+1600, l.call+l.sender, id, l.sender, l.text),
		}
		if err := s.Append(t.Context(), []*spool.Record{r}); err != nil {
			t.Fatal(err)
		}
		read := make([]*spool.Record, 1)
		if _, err := s.Read(t.Context(), read); err != nil {
			t.Fatal(err)
		}
		d := &spool.DeadLetter{Record: *read[0], Reason: l.reason, Words: l.words, Attempts: 1, Sent: r.Received.Add(100 * time.Millisecond), Rejected: r.Received.Add(300 * time.Millisecond)}
		if err := s.Settle(spool.Settlement{Position: read[0].Position, Rejected: l.reason, Dead: d}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}
