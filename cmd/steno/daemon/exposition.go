package daemon

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// writeMetrics writes the metrics of every pipeline. Of several, each series has
// its org as a label, and in a cluster its partition.
func (d *Daemon) writeMetrics(w io.Writer) {
	if !d.settings.many() {
		d.pipelineOf("").set.WritePrometheus(w)
		return
	}
	var x exposition
	for _, p := range d.working() {
		var text bytes.Buffer
		p.set.WritePrometheus(&text)
		x.add(p.labels(), text.String())
	}
	x.write(w)
	d.set.WritePrometheus(w)
}

// labels are what tells the pipeline's series from another's.
func (p *pipeline) labels() string {
	labels := fmt.Sprintf("org=%q", p.settings.SFOrg)
	if p.cfg.member != nil {
		labels += fmt.Sprintf(`,partition="%d"`, p.cfg.partition)
	}
	return labels
}

// exposition puts the metrics of several sets together, those of one name in a
// row, as the text format wants it.
type exposition struct {
	names []string // in the order in which they came first
	lines map[string]*bytes.Buffer
}

// add takes in a set's text, and adds labels to each of its series.
func (x *exposition) add(labels, text string) {
	for line := range strings.Lines(text) {
		end := strings.IndexAny(line, "{ ")
		if end <= 0 || strings.HasPrefix(line, "#") {
			continue
		}
		name := line[:end]
		if x.lines[name] == nil {
			if x.lines == nil {
				x.lines = map[string]*bytes.Buffer{}
			}
			x.lines[name] = new(bytes.Buffer)
			x.names = append(x.names, name)
		}
		x.lines[name].WriteString(labelled(line, end, labels))
	}
}

// labelled is a series with more labels. One that has an org already is that
// org's: a quote within a label's value has a backslash before it, so that
// org=" can only begin a label.
func labelled(line string, end int, labels string) string {
	name, rest := line[:end], line[end:]
	switch {
	case rest[0] == ' ':
		return name + "{" + labels + "}" + rest
	case strings.HasPrefix(rest, `{org="`), strings.Contains(rest, `,org="`):
		return line
	case strings.HasPrefix(rest, "{}"):
		return name + "{" + labels + rest[1:]
	}
	return name + "{" + labels + "," + rest[1:]
}

func (x *exposition) write(w io.Writer) {
	for _, name := range x.names {
		_, _ = w.Write(x.lines[name].Bytes()) // a scraper who has gone hears nothing
	}
}
