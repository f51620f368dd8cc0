package monitor_test

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"example.com/steno/cmd/steno/daemon"
)

// The README's pictures are taken of a demo that has played the project's own
// calls, not real ones, for some minutes:
//
//	go run ./cmd/stenolab demo --hold --calls 60 --quiet --recording testdata/calls/…
//	go test ./cmd/steno/monitor -run Layout -pictures http://127.0.0.1:…/
var pictures = flag.String("pictures", "", "take the README's pictures of the monitor page at this address")

// looks are the screens on which the page must be readable.
var looks = []struct {
	name          string
	width, height int64
	scheme        string // light or dark
}{
	{"monitor-light", 1280, 1080, "light"},
	{"monitor-dark", 1280, 1080, "dark"},
	{"monitor-narrow", 360, 900, "light"},
	{"monitor-wide", 2560, 1080, "dark"},
}

// TestLayout looks at the page on every screen: nothing is wider than it, what
// matters is above the fold, and axe, where it is there, finds nothing.
func TestLayout(t *testing.T) {
	b := newBrowser(t)
	url := *pictures
	if url == "" {
		r := newRig(t, quick, "STENO_MONITOR_TEXT=on")
		long := r.open(r.engine, "a-call-whose-key-is-as-long-as-some-telephony-systems-make-them-"+"0123456789abcdef0123456789abcdef")
		r.say(long, "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen", 300*time.Millisecond)
		r.status(func(s daemon.Status) bool { return s.Account.Delivered == 1 })
		url = r.page()
	}
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			b := browser{t, b.ctx}
			b.do(chromedp.EmulateViewport(l.width, l.height), scheme(l.scheme))
			b.look(url)
			b.until("document.querySelectorAll('.uplot canvas').length === 3 && document.querySelectorAll('#call-list li').length > 0")
			if got := b.text("document.documentElement.scrollWidth - innerWidth"); got != "0" {
				t.Errorf("the page is %s px wider than the screen", got)
			}
			for _, id := range []string{"headline", "p95", "oldest"} {
				if got := b.text("document.getElementById('" + id + "').getBoundingClientRect().bottom < innerHeight"); got != "true" {
					t.Errorf("#%s is not seen without scrolling", id)
				}
			}
			b.axe()
			if *pictures != "" {
				picture := filepath.Join("..", "..", "..", "docs", l.name+".png")
				bytes, err := small(value(b, shot()))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(picture, bytes, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func scheme(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	})
}

// small encodes a picture with its 256 most frequent colours, which halves it
// and is not seen: what is lost are shades of the letters' edges.
func small(shot []byte) ([]byte, error) {
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		return nil, err
	}
	count := map[color.Color]int{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			count[picture.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	paletted := image.NewPaletted(picture.Bounds(), colours[:min(256, len(colours))])
	draw.Draw(paletted, paletted.Rect, picture, image.Point{}, draw.Src)
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	err = encoder.Encode(&out, paletted)
	return out.Bytes(), err
}

// shot is a picture of what is on the screen.
func shot() chromedp.Action[[]byte] {
	return func(ctx context.Context, t *chromedp.Target) ([]byte, error) {
		got, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatPng})
		if err != nil {
			return nil, err
		}
		return got.Data, nil
	}
}

// axe runs axe-core, the checker of accessibility, of which AXE names the file.
func (b browser) axe() {
	b.t.Helper()
	path := os.Getenv("AXE")
	if path == "" {
		b.t.Log("AXE does not name axe-core's axe.min.js: accessibility is not checked")
		return
	}
	code, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(code) + "; window.found = null; axe.run().then((r) => { window.found = r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html + n.failureSummary).join(' ')).join('\\n') }); undefined"))
	b.until("window.found !== null")
	if found := b.text("window.found"); found != "" {
		b.t.Errorf("axe finds\n%s", found)
	}
}
