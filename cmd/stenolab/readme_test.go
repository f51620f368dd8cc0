package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"example.com/steno/sfclient/orgsim"
)

// TestReadmeExamples runs the README's engines, word for word but for the
// address, against the demo's daemon and org, and finds what they said there.
func TestReadmeExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("runs go, python and node")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, engine := range []example{
		{"go", "main.go", "Hello from Go", runGo},
		{"python", "engine.py", "Hello from Python", runPython},
		{"js", "engine.mjs", "Hello from JavaScript", runNode},
	} {
		t.Run(engine.language, func(t *testing.T) {
			s, stop := runningStage(t)
			code := engine.code(t, string(readme), `ws://127.0.0.1:8080/v1/ingest"`)
			out := engine.execute(t, strings.ReplaceAll(code, "ws://127.0.0.1:8080/v1/ingest", s.url))
			if got := strings.Join(strings.Fields(out), " "); got != "opened ack closed" {
				t.Errorf("the example printed %q, want opened, ack and closed", got)
			}
			stop()
			engine.arrived(t, s)
		})
		t.Run(engine.language+" relay", func(t *testing.T) {
			s, stop := runningStage(t)
			vosk := httptest.NewServer(http.HandlerFunc(speakVosk))
			defer vosk.Close()
			code := engine.code(t, string(readme), "ws://127.0.0.1:8080/v1/ingest/vosk?")
			code = strings.ReplaceAll(code, "ws://127.0.0.1:2700", "ws"+strings.TrimPrefix(vosk.URL, "http"))
			engine.execute(t, strings.ReplaceAll(code, "ws://127.0.0.1:8080/v1/ingest", s.url))
			stop()
			engine.said = "hello from vosk"
			engine.arrived(t, s)
		})
	}
}

// example is a program in the README.
type example struct {
	language, file, said string
	run                  func(t *testing.T, file string) *exec.Cmd
}

// code finds the example that speaks to a door.
func (e example) code(t *testing.T, readme, door string) string {
	t.Helper()
	for _, rest := range strings.Split(readme, "```"+e.language+"\n")[1:] {
		if code, _, closed := strings.Cut(rest, "```"); closed && strings.Contains(code, door) {
			return code
		}
	}
	t.Fatalf("the README has no %s example that speaks to %s", e.language, door)
	return ""
}

// execute runs code and returns what it prints.
func (e example) execute(t *testing.T, code string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), e.file)
	if err := os.WriteFile(file, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := e.run(t, file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// arrived compares what the org has with what the example said.
func (e example) arrived(t *testing.T, s *stage) {
	t.Helper()
	said := ""
	for _, call := range s.sim.Ledger().Calls {
		for _, m := range call.Messages {
			said += m.Content
		}
	}
	if said != e.said {
		t.Errorf("the org has %q, want %q", said, e.said)
	}
}

// speakVosk is a Vosk server that has heard all of a short call.
func speakVosk(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // who connects is told
	}
	defer ws.Close()
	for _, frame := range []string{
		`{"partial" : ""}`, `{"partial" : "hello from"}`,
		"{\n  \"result\" : [{\"conf\" : 1.0, \"end\" : 0.9, \"start\" : 0.2, \"word\" : \"hello\"}],\n  \"text\" : \"hello from vosk\"\n}",
		`{"text" : ""}`,
	} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			return // the example's failure tells
		}
	}
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = ws.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
	for err == nil {
		_, _, err = ws.ReadMessage()
	}
}

// runningStage is the demo's org and daemon, running. stop drains them.
func runningStage(t *testing.T) (s *stage, stop func()) {
	d := demoCommand{Calls: 1, Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AnswerTime: orgsim.AnswerTime{}}
	s, err := d.stage(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	orgCtx, closeOrg := context.WithCancel(t.Context())
	daemonCtx, drain := context.WithCancel(t.Context())
	g, _ := errgroup.WithContext(t.Context())
	serveOrg(orgCtx, g, s.sim, s.org)
	g.Go(func() error {
		defer closeOrg()
		return s.daemon.Run(daemonCtx)
	})
	stop = func() {
		drain()
		if err := g.Wait(); err != nil {
			t.Errorf("the stage ended with %v", err)
		}
	}
	return s, stop
}

func runGo(_ *testing.T, file string) *exec.Cmd { return exec.Command("go", "run", file) }

func runPython(t *testing.T, file string) *exec.Cmd {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import websockets").Run() == nil {
			return exec.Command(python, file)
		}
	}
	t.Skip("no python3 with the package websockets (Debian: python3-websockets)")
	return nil
}

func runNode(t *testing.T, file string) *exec.Cmd {
	for _, flags := range [][]string{nil, {"--experimental-websocket"}} {
		if exec.Command("node", append(flags, "-e", "new WebSocket('ws://127.0.0.1:1').onerror = () => process.exit(0)")...).Run() == nil {
			return exec.Command("node", append(flags, file)...)
		}
	}
	t.Skip("no node with WebSocket (node 22, or 20 with --experimental-websocket)")
	return nil
}

// TestTwoStagesAtOnce: the demo runs on free ports.
func TestTwoStagesAtOnce(t *testing.T) {
	a, stopA := runningStage(t)
	b, stopB := runningStage(t)
	defer stopA()
	defer stopB()
	if a.url == b.url {
		t.Errorf("both listen at %s", a.url)
	}
	var d net.Dialer
	for _, s := range []*stage{a, b} {
		c, err := d.DialContext(t.Context(), "tcp", s.org.Addr().String())
		if err != nil {
			t.Errorf("the org does not listen: %v", err)
			continue
		}
		c.Close()
	}
}
