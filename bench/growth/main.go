// Command growth draws how cost and latency grow with the number of calls, from
// reports that stenolab load --json has written, a file each:
//
//	go run ./bench/growth -out bench/results report-*.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"example.com/steno/bench/load"
)

func main() {
	out := flag.String("out", ".", "directory for latency.svg, cost.svg and memory.svg")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

func run(out string, files []string) error {
	reports := make([]load.Report, len(files))
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(b, &reports[i])
		}
		if err != nil {
			return fmt.Errorf("read report %s: %w", file, err)
		}
	}
	slices.SortFunc(reports, func(a, b load.Report) int { return a.Shape.Calls - b.Shape.Calls })
	curve := func(name string, of func(*load.Report) float64) load.Curve {
		c := load.Curve{Name: name}
		for i := range reports {
			c.X, c.Y = append(c.X, float64(reports[i].Shape.Calls)), append(c.Y, of(&reports[i]))
		}
		return c
	}
	picture := func(file, title, unit string, curves ...load.Curve) error {
		p := load.Picture{Title: title, XName: "calls at once", YName: unit, LogX: true, LogY: true, Curves: curves}
		return draw(filepath.Join(out, file), p.Write)
	}
	return errors.Join(
		picture("latency.svg", "Added latency, real calls", "ms",
			curve("p50", func(r *load.Report) float64 { return r.Added.P50 }),
			curve("p99", func(r *load.Report) float64 { return r.Added.P99 }),
			curve("ack p50", func(r *load.Report) float64 { return r.Ack.P50 }),
			curve("ack p99", func(r *load.Report) float64 { return r.Ack.P99 })),
		picture("cost.svg", "Processor time", "seconds",
			curve("a 100,000 utterances", func(r *load.Report) float64 { return r.CPUPer100k }),
			curve("a second of load", func(r *load.Report) float64 { return r.CPUSeconds / r.Seconds })),
		picture("memory.svg", "Memory", "MB",
			curve("idle calls", func(r *load.Report) float64 { return float64(r.IdleKiB) / 1024 }),
			curve("at most", func(r *load.Report) float64 { return float64(r.PeakKiB) / 1024 })),
	)
}

func draw(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
