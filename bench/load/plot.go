package load

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Curve is one line of a picture.
type Curve struct {
	Name   string
	X, Y   []float64
	Dashed bool
}

// Picture is a chart of curves, written as SVG.
type Picture struct {
	Title, XName, YName string
	LogX, LogY          bool
	Curves              []Curve
}

// WriteOverTime draws the added latency of each second of the load.
func (r *Report) WriteOverTime(w io.Writer) error {
	p := Picture{Title: r.title() + ": latency over time", XName: "seconds", YName: "added latency, ms", LogY: true}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", .5}, {"p99", .99}, {"max", 1}} {
		c := Curve{Name: q.name}
		for second, h := range r.seconds {
			if h.count > 0 {
				c.X, c.Y = append(c.X, float64(second)), append(c.Y, ms(h.at(q.at)))
			}
		}
		p.Curves = append(p.Curves, c)
	}
	return p.Write(w)
}

// WriteDistribution draws how many utterances have waited longer than a time.
func (r *Report) WriteDistribution(w io.Writer) error {
	c := Curve{Name: "all but urgent"}
	seen := uint64(0)
	for i, n := range r.added.buckets {
		if n == 0 {
			continue
		}
		seen += uint64(n)
		if above := r.added.count - seen; above > 0 {
			c.X, c.Y = append(c.X, ms(upTo(i))), append(c.Y, float64(above)/float64(r.added.count))
		}
	}
	p := Picture{Title: r.title() + ": distribution", XName: "added latency, ms", YName: "share that takes longer", LogX: true, LogY: true, Curves: []Curve{c}}
	return p.Write(w)
}

func (r *Report) title() string {
	return fmt.Sprintf("%s, %d calls, %.0f utterances a second", r.Shape.Kind, r.Shape.Calls, r.PerSecond)
}

// The picture's size and margins, in pixels.
const (
	width, height            = 760, 400
	left, right, top, bottom = 70, 120, 40, 50
)

// palette tells curves apart for everyone (Okabe and Ito).
var palette = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// Write draws the picture as SVG.
func (p *Picture) Write(w io.Writer) error {
	x := p.scale(p.LogX, func(c *Curve) []float64 { return c.X }, left, width-right)
	y := p.scale(p.LogY, func(c *Curve) []float64 { return c.Y }, height-bottom, top)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="15">%s</text>`+"\n", left, escape(p.Title))
	for _, v := range x.ticks() {
		fmt.Fprintf(&b, `<path d="M%.1f %dV%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x.at(v), top, height-bottom, x.at(v), height-bottom+18, number(v))
	}
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", left, y.at(v), width-right, left-6, y.at(v)+4, number(v))
	}
	for i := range p.Curves {
		p.Curves[i].draw(&b, i, x, y)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n", (left+width-right)/2, height-12, escape(p.XName))
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text></svg>`+"\n", (top+height-bottom)/2, escape(p.YName))
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *Curve) draw(b *strings.Builder, i int, x, y scale) {
	color, dash := palette[i%len(palette)], ""
	if c.Dashed {
		dash = ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.6"%s points="`, color, dash)
	for j := range c.X {
		fmt.Fprintf(b, "%.1f,%.1f ", x.at(c.X[j]), y.at(c.Y[j]))
	}
	fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", width-right+8, top+14+16*i, color, escape(c.Name))
}

// scale puts values on an axis.
type scale struct {
	log      bool
	low, top float64 // of the values; logarithms where log
	from, to float64 // in pixels
}

func (p *Picture) scale(log bool, of func(*Curve) []float64, from, to float64) scale {
	s := scale{log: log, low: math.Inf(1), top: math.Inf(-1), from: from, to: to}
	for i := range p.Curves {
		for _, v := range of(&p.Curves[i]) {
			v = s.value(v)
			s.low, s.top = min(s.low, v), max(s.top, v)
		}
	}
	if !log {
		s.low = min(0, s.low)
	} else {
		s.low, s.top = math.Floor(s.low), math.Ceil(s.top)
	}
	if !(s.top > s.low) { // nothing, or one value only
		s.low, s.top = 0, 1
	}
	return s
}

func (s scale) value(v float64) float64 {
	if s.log {
		return math.Log10(max(v, 1e-6))
	}
	return v
}

func (s scale) at(v float64) float64 {
	return s.from + (s.value(v)-s.low)/(s.top-s.low)*(s.to-s.from)
}

// ticks are round values on the axis.
func (s scale) ticks() (all []float64) {
	if s.log {
		for e := s.low; e <= s.top; e++ {
			all = append(all, math.Pow(10, e))
		}
		return all
	}
	step := math.Pow(10, math.Floor(math.Log10(s.top-s.low)))
	for (s.top-s.low)/step < 4 {
		step /= 2
	}
	for v := math.Ceil(s.low/step) * step; v <= s.top; v += step {
		all = append(all, v)
	}
	return all
}

func number(v float64) string { return fmt.Sprintf("%.4g", v) }

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
