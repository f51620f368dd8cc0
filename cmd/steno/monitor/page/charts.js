// The charts of the last hour, drawn by uPlot.
"use strict";

const Charts = (() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const stages = ["engine", "spool", "company", "lane", "held", "salesforce"];
  let charts = [], last = null;

  function options(box, series, extra) {
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 }, font: "11px system-ui, sans-serif" };
    return Object.assign({
      width: Math.max(200, box.clientWidth), height: Math.max(120, box.clientHeight), legend: { show: false }, cursor: { show: false },
      axes: [Object.assign({}, axis, { values: "{HH}:{mm}", space: 60, incrs: [60, 120, 300, 600, 900, 1800] }), Object.assign({}, axis, { size: 42 })],
      scales: { y: { range: (u, min, max) => [0, Math.max(max * 1.1, 0.5)] } }, series: [{}].concat(series),
    }, extra || {});
  }

  const line = (color, width) => ({ stroke: css(color), width: width || 1.5, points: { show: false }, spanGaps: false });
  const gaps = (values) => values.map((v) => (v > 0 ? v : null)); // 0: nothing was accepted

  // since leaves out what was before the first utterance, so that the charts of a
  // young daemon can be read: five minutes at least are shown.
  function since(hour) {
    const begun = hour.rate.findIndex((v) => v > 0);
    const skip = Math.max(0, Math.min(begun < 0 ? 0 : begun - 1, hour.rate.length - 30));
    const cut = (a) => a.slice(skip);
    return {
      step: hour.step, begin: hour.begin + skip * hour.step, p50: cut(hour.p50), p95: cut(hour.p95), p99: cut(hour.p99), rate: cut(hour.rate),
      stages: hour.stages.map((s) => ({ name: s.name, mean: cut(s.mean) })),
    };
  }

  function draw(whole) {
    last = whole;
    const hour = since(whole);
    const x = hour.p50.map((_, i) => hour.begin + i * hour.step);
    const boxes = ["chart-latency", "chart-stages", "chart-rate"].map((id) => document.getElementById(id));
    charts.forEach((c) => c.destroy());
    charts = [
      new uPlot(options(boxes[0], [line("--p50"), line("--p95", 2), line("--p99")]), [x, gaps(hour.p50), gaps(hour.p95), gaps(hour.p99)], boxes[0]),
      new uPlot(options(boxes[1], stacked(hour).map((s) => Object.assign(line("--" + s.name), { fill: css("--" + s.name), width: 0 }))), [x].concat(stacked(hour).map((s) => s.sum)), boxes[1]),
      new uPlot(options(boxes[2], [Object.assign(line("--key"), { fill: css("--line") })]), [x, hour.rate.slice(0, -1).concat(null)], boxes[2]), // of the running step only a part is known,
    ];
    const peak = Math.max(...hour.p95);
    boxes[0].setAttribute("aria-label", "latency of the last hour; the highest p95 of ten seconds was " + peak.toFixed(2) + " s");
  }

  // stacked sums the stages up, the last one first, so that each is drawn before
  // what it lies behind.
  function stacked(hour) {
    let sum = hour.p50.map(() => 0);
    return hour.stages.map((s) => {
      sum = sum.map((v, i) => v + s.mean[i]);
      return { name: s.name, sum: sum };
    }).reverse();
  }

  const redraw = () => { if (last) draw(last); };
  let waiting = 0;
  new ResizeObserver(() => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); }).observe(document.querySelector(".charts"));
  return { draw, redraw, stages };
})();
