package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

const (
	samplesPerMS = 16 // of the recogniser's model
	hurry        = 4  // the call is played so many times as fast as life
	agentID      = "005xx000001Sv6AAAS"
	callLength   = 19_000 // ms
)

// conversation is a call of two channels: when somebody begins to speak, in ms.
var conversation = []struct {
	at    int
	agent bool
	text  string
}{
	{400, true, "hello thank you for calling how can i help you today"},
	{4_500, false, "my order has not arrived yet"},
	{7_500, true, "can you give me the order number please"},
	{10_700, false, "the order number is four one seven three"},
	{14_500, true, "i will send you a refund tomorrow"},
	{17_500, false, "thank you goodbye"},
}

// TestSpeech is a call from the sound to the agent's console: two voices are
// synthesised, each channel is recognised while it is played, and what the
// recogniser says goes to the door for Vosk, one connection a channel, as from
// a relay.
func TestSpeech(t *testing.T) {
	if testing.Short() {
		t.Skip("speaks for five seconds")
	}
	for _, program := range []string{"flite", "pocketsphinx_continuous"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%v (Debian: flite, pocketsphinx, pocketsphinx-en-us)", err)
		}
	}
	org := orgsim.New(orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, LimitInfo: true})
	server := httptest.NewServer(org)
	defer server.Close()
	v := newVictim(t, server.URL)
	v.start()

	agent, customer := speak(t)
	start := time.Now().UnixMilli()
	door := func(channel string) string {
		return fmt.Sprintf("ws://%s/v1/ingest/vosk?call=spoken&start=%d&channel.%s", v.doors, start, channel)
	}
	var relays errgroup.Group
	relays.Go(func() error { return relay(t, agent, door("agent=HUMAN_AGENT:"+agentID)) })
	relays.Go(func() error { return relay(t, customer, door("customer=END_USER")) })
	if err := relays.Wait(); err != nil {
		t.Fatal(err)
	}
	v.await("the agent sees six turns", func() bool { return len(org.Ledger().Calls["spoken"].Messages) >= len(conversation) })
	v.stop()

	messages := org.Ledger().Calls["spoken"].Messages
	if len(messages) != len(conversation) {
		t.Fatalf("the agent sees %d turns, want %d: %+v", len(messages), len(conversation), messages)
	}
	// The channels are two connections: whose recogniser is faster is not told.
	slices.SortFunc(messages, func(a, b orgsim.Message) int { return cmp.Compare(a.StartTime, b.StartTime) })
	for i, turn := range conversation {
		m, who := messages[i], "spokenEND_USER"
		if turn.agent {
			who = agentID
		}
		if m.Content != turn.text || m.ParticipantID != who {
			t.Errorf("turn %d is %q of %s, want %q of %s", i, m.Content, m.ParticipantID, turn.text, who)
		}
		if from, to := m.StartTime-start, m.EndTime-start; from < int64(turn.at) || from > int64(turn.at)+500 || to < from+500 || to > int64(turn.at)+4_000 {
			t.Errorf("turn %d was said from %d to %d ms, want it to begin at %d and to last for a second or more", i, from, to, turn.at)
		}
	}
}

// speak synthesises both channels, as 16-bit samples.
func speak(t *testing.T) (agent, customer []byte) {
	agent, customer = make([]byte, callLength*samplesPerMS*2), make([]byte, callLength*samplesPerMS*2)
	for i, turn := range conversation {
		channel, voice := customer, "rms"
		if turn.agent {
			channel, voice = agent, "slt"
		}
		file := filepath.Join(t.TempDir(), fmt.Sprint(i, ".wav"))
		if out, err := exec.Command("flite", "-voice", voice, "-t", turn.text, "-o", file).CombinedOutput(); err != nil {
			t.Fatalf("flite: %v: %s", err, out)
		}
		wav, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, data, found := bytes.Cut(wav, []byte("data"))
		if !found || binary.LittleEndian.Uint32(wav[24:]) != samplesPerMS*1000 {
			t.Fatalf("%s is not sound of %d samples a second", file, samplesPerMS*1000)
		}
		copy(channel[turn.at*samplesPerMS*2:], data[4:])
	}
	return agent, customer
}

// relay has one channel recognised while it is played, and tees what the
// recogniser says to the door.
func relay(t *testing.T, sound []byte, door string) (err error) {
	grammar := filepath.Join(t.TempDir(), "call.gram")
	var sentences []string
	for _, turn := range conversation {
		sentences = append(sentences, turn.text)
	}
	rules := "#JSGF V1.0;\ngrammar call;\npublic <turn> = " + strings.Join(sentences, " | ") + " ;\n"
	if err := os.WriteFile(grammar, []byte(rules), 0o600); err != nil {
		return err
	}
	recogniser := exec.Command("pocketsphinx_continuous", "-infile", "/dev/stdin", "-jsgf", grammar, "-time", "yes", "-logfn", os.DevNull)
	in, err := recogniser.StdinPipe()
	if err != nil {
		return err
	}
	out, err := recogniser.StdoutPipe()
	if err != nil {
		return err
	}
	if err := recogniser.Start(); err != nil {
		return err
	}
	var feeding errgroup.Group
	feeding.Go(func() error { return play(in, sound) })
	defer func() { err = errors.Join(err, feeding.Wait(), recogniser.Wait()) }()

	ws, _, err := websocket.DefaultDialer.Dial(door, nil)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", door, err)
	}
	defer ws.Close()
	if err := recognised(out, ws.WriteJSON); err != nil {
		return err
	}
	if err := ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")); err != nil {
		return err
	}
	_, _, err = ws.ReadMessage()
	if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return nil
	}
	return err
}

// play writes sound as it would be heard, but in a hurry.
func play(w io.WriteCloser, sound []byte) error {
	const chunk = 100 * samplesPerMS * 2 // 100 ms
	tick := time.NewTicker(100 * time.Millisecond / hurry)
	defer tick.Stop()
	for ; len(sound) > 0; <-tick.C {
		n := min(chunk, len(sound))
		if _, err := w.Write(sound[:n]); err != nil {
			return errors.Join(err, w.Close())
		}
		sound = sound[n:]
	}
	return w.Close()
}

// word is one of Vosk's, which are what a Vosk server says of each.
type word struct {
	Conf  float64 `json:"conf"`
	Start float64 `json:"start"`
	End   float64 `json:"end"`
	Word  string  `json:"word"`
}

// recognised reads what pocketsphinx prints, a line of words and then a line
// for each of them, and sends every utterance as Vosk has it.
func recognised(r io.Reader, send func(any) error) error {
	var text string
	var words []word
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 4 || !number(fields[1]) {
			text, words = lines.Text(), nil
			continue
		}
		said, _, _ := strings.Cut(fields[0], "(")
		if strings.ContainsAny(fields[0], "<[") || said == "" {
			continue
		}
		w := word{Word: said}
		for i, f := range []*float64{&w.Start, &w.End, &w.Conf} {
			*f, _ = strconv.ParseFloat(fields[i+1], 64)
		}
		if words = append(words, w); len(words) < len(strings.Fields(text)) {
			continue
		}
		if err := send(map[string]any{"result": words, "text": text}); err != nil {
			return err
		}
	}
	return errors.Join(lines.Err(), send(json.RawMessage(`{"text":""}`)))
}

func number(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}
