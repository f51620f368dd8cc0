// The cluster: a line for each daemon, where there are several that share the
// calls, and what the page says where this one works on none of them.
"use strict";

const Cluster = (() => {
  const maxNames = 8; // partitions named on one line

  const name = (p) => p.org + "/" + p.number;

  // owned names what belongs to a daemon, or how much where that is too long.
  function owned(all) {
    const more = all.length - maxNames;
    return all.slice(0, maxNames).map(name).join(", ") + (more > 0 ? " and " + more + " more" : "") || "nothing";
  }

  const words = { well: "well", ailing: "a partition does not open", leaving: "leaving", fenced: "cut off", dead: "dead" };

  function row(c, m) {
    const l = m.load, said = (n, text) => (n ? text : "–");
    const late = (s, limit) => (s > limit ? [seconds(s)] : said(s, seconds(s || 0)));
    return [
      m.id + (m.id === c.member ? " (this one)" : ""), owned(c.partitions.filter((p) => p.owner === m.id)), whole(l.calls || 0), rate(l.delivered || 0),
      late(l.p95, 2), whole(l.pending || 0), late(l.oldest, 5), late(m.silent, 1.5), m.state === "well" ? "well" : [words[m.state] || m.state],
    ];
  }

  // draw shows the cluster, or nothing where there is none.
  function draw(c) {
    $("cluster").hidden = !c;
    if (!c) return;
    const unowned = c.partitions.filter((p) => !p.owner);
    put("daemons", whole(c.members.filter((m) => m.state !== "dead").length));
    put("partitions", whole(c.partitions.length) + " partitions" + (c.agreed ? "" : "; the daemons know different orgs, so nothing is handed over"));
    table("members", c.members.map((m) => row(c, m)));
    $("unowned").hidden = !unowned.length;
    put("unowned", "No daemon works on " + owned(unowned) + ": engines get no acknowledgements there.");
  }

  // idle is the answer of a daemon that works on no calls.
  function idle(c) {
    $("verdict").dataset.state = c.fenced ? "late" : "quiet";
    put("headline", c.fenced ? "This daemon is cut off from its cluster" : "This daemon works on no calls");
    put("because", c.fenced ? "Its heartbeat does not get through in time, so it does nothing until it does. Others take over what it had."
      : "Other daemons own every partition. Engines that come here are passed on to them.");
    put("p95", "–"); put("oldest", "–");
    put("live", "live, no partition");
    document.title = (c.fenced ? "✗" : "·") + " Steno";
  }

  // only shows nothing but the verdict and the cluster.
  function only(yes) {
    for (const e of document.querySelectorAll("main > :not(#verdict):not(#cluster)")) e.hidden = yes;
  }
  return { draw, idle, only };
})();
