package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPicturesOfReports(t *testing.T) {
	dir := t.TempDir()
	var files []string
	for name, report := range map[string]string{
		"b.json": `{"shape":{"Calls":1000},"seconds":10,"cpuSeconds":2,"cpuPer100k":9,"idleKiB":2048,"peakKiB":4096,"added":{"p50Ms":8,"p99Ms":40},"ack":{"p50Ms":1,"p99Ms":3}}`,
		"a.json": `{"shape":{"Calls":10},"seconds":10,"cpuSeconds":1,"cpuPer100k":99,"idleKiB":1024,"peakKiB":2048,"added":{"p50Ms":200,"p99Ms":201},"ack":{"p50Ms":1,"p99Ms":2}}`,
	} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte(report), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(dir, files); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"latency.svg", "cost.svg", "memory.svg"} {
		svg, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := xml.Unmarshal(svg, new(any)); err != nil || strings.Count(string(svg), "<polyline") < 2 {
			t.Errorf("%s is no SVG of two curves (%v):\n%s", name, err, svg)
		}
	}
	if err := run(dir, []string{filepath.Join(dir, "none.json")}); err == nil {
		t.Error("a report that is not there is no error")
	}
}
