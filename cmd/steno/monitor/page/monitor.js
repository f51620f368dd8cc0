// The monitor page: what comes over /monitor/events, put into its places.
"use strict";

const $ = (id) => document.getElementById(id);
const put = (id, text) => { if ($(id).textContent !== String(text)) $(id).textContent = text; };
const whole = (n) => Math.round(n).toLocaleString("en").replaceAll(",", "\u202f");
const rate = (n) => n.toFixed(1) + "/s";

const stageWords = {
  engine: ["Engine", "speech ends → Steno has it"],
  spool: ["Spool", "made safe on the disk"],
  company: ["Company", "waits to share a request"],
  lane: ["Lane", "behind its own call's request"],
  held: ["Held back", "refusals, limits, budget"],
  salesforce: ["Salesforce", "request → accepted"],
};

function verdict(s) {
  const v = s.monitor.verdict, l = s.monitor.latency, now = l.now.count ? l.now : l.minute;
  $("verdict").dataset.state = v.state;
  const within = now.count ? "95 % of it is on the console within " + seconds(now.p95) + " of being said." : "";
  const waits = whole(s.account.pending) + " utterances wait, the oldest for " + seconds(oldest(s)) + ".";
  const stage = v.stage ? stageWords[v.stage] : null;
  switch (v.state) {
    case "fine": put("headline", "Agents see speech in time"); put("because", within); break;
    case "late": put("headline", "Agents see speech late"); put("because", (oldest(s) > 2 || !now.count ? waits : within) + " Most of the time goes here: " + stage[0] + " (" + stage[1] + ")." + (v.reason ? " " + v.reason + "." : "")); break;
    case "trouble": put("headline", "Agents see speech in time, but"); put("because", v.reason); break;
    default: put("headline", "Nobody is speaking"); put("because", "No utterance in the last minute, and none that waits.");
  }
  put("p95", now.count ? seconds(now.p95) : "–");
  put("oldest", seconds(oldest(s)));
  document.title = { fine: "✓", late: "✗", trouble: "!", quiet: "·" }[v.state] + " Steno " + (s.org ? s.org + " " : "") + (now.count ? seconds(now.p95) : "");
}

// oldest is the oldest of what waits: safe, or not safe yet.
function oldest(s) { return Math.max(s.account.oldestPendingSeconds, ...s.monitor.stages.map((t) => t.longest)); }

function skews(s) { return s.monitor.engines.reduce((a, e) => (Math.abs(e.skew) > Math.abs(a) ? e.skew : a), 0); }
const clockWords = (skew) => (skew === 0 ? "right" : seconds(Math.abs(skew)) + (skew > 0 ? " behind" : " ahead"));

// warnings says, by stage, what is not as it should be there.
function warnings(s) {
  const w = {}, skew = skews(s), reasons = Object.fromEntries((s.reasons || []).map((r) => [r.code, r.message]));
  if (Math.abs(skew) > 1) w.engine = "an engine's clock is " + clockWords(skew) + "; taken off";
  if (reasons.spool) w.spool = reasons.spool;
  else if (s.spool && 2 * s.spool.diskBytes > s.spool.maxBytes) w.spool = "more than half full";
  if (s.budget.short) w.company = "the day's requests are short: waits up to " + seconds(s.budget.waitSeconds);
  if (s.budget.spent) w.held = "our share of the day's requests is used up";
  else if (s.trouble !== "none") w.held = "Salesforce: " + s.trouble;
  if (reasons.salesforce_token) w.salesforce = "gives no token: " + reasons.salesforce_token;
  return w;
}

function flow(s) {
  const w = warnings(s), total = s.monitor.stages.reduce((a, t) => a + t.mean, 0);
  const late = s.monitor.verdict.state === "late" ? s.monitor.verdict.stage : "";
  $("flow").replaceChildren(...s.monitor.stages.map((t) => {
    const li = make("li", t.name);
    li.id = "stage-" + t.name;
    if (w[t.name] || t.name === late || t.longest > 1 || t.mean > 1) li.classList.add("hot");
    const inside = t.inside ? whole(t.inside) + " here now" + (t.longest ? ", for up to " + seconds(t.longest) : "") : "none here now";
    li.append(make("h3", "", stageWords[t.name][0]), make("p", "what", stageWords[t.name][1]), make("p", "mean", total ? seconds(t.mean) : "–"), make("p", "inside", inside));
    if (w[t.name]) li.append(make("p", "warn", w[t.name]));
    return li;
  }));
  $("share").replaceChildren(...s.monitor.stages.map((t) => {
    const i = make("i", t.name);
    i.style.flexGrow = total ? t.mean / total : 0;
    return i;
  }));
  $("share").setAttribute("aria-label", s.monitor.stages.map((t) => stageWords[t.name][0] + " " + seconds(t.mean)).join(", "));
}

function law(s) {
  const a = s.account, rejected = Object.values(a.rejected || {}).reduce((x, y) => x + y, 0), r = s.monitor.rates;
  put("accepted", whole(a.accepted)); put("delivered", whole(a.delivered)); put("rejected", whole(rejected)); put("pending", whole(a.pending));
  put("accepted-rate", rate(r.accepted)); put("delivered-rate", rate(r.delivered)); put("rejected-rate", r.rejected ? rate(r.rejected) : "");
  const off = a.accepted !== a.delivered + rejected + a.pending;
  $("rejected").className = rejected ? "bad" : "";
  $("balance").className = off ? "off" : "";
  put("balance", off ? "✗ the sum is wrong" : "✓");
}

function facts(id, rows) {
  $(id).replaceChildren(...rows.flatMap(([name, value, bad]) => [make("dt", "", name), make("dd", bad ? "bad" : "", value)]));
}

function table(id, rows) {
  $(id).replaceChildren(...rows.map((cells) => {
    const tr = make("tr");
    cells.forEach((c, i) => {
      const bad = Array.isArray(c), cell = make(i ? "td" : "th", bad ? "bad" : "", bad ? c[0] : c);
      if (!i) cell.scope = "row";
      tr.append(cell);
    });
    return tr;
  }));
}

function latencies(s) {
  const l = s.monitor.latency, row = (name, t) => [name].concat(t.count ? [seconds(t.p50), seconds(t.p95), seconds(t.p99), whole(t.count)] : ["–", "–", "–", "0"]);
  table("latencies", [row("last 10 s", l.now), row("last minute", l.minute), row("last hour", l.hour), row("last minute, from its receipt on", l.delivery)]);
}

function budget(s) {
  const b = s.budget;
  if (!b.known) return facts("budget", [["nothing is known of them yet", ""]]);
  const share = b.max ? b.used / b.max : 0;
  $("budget-bar").firstElementChild.style.width = (100 * share).toFixed(1) + "%";
  $("budget-bar").className = b.short || b.spent ? "bad" : "";
  $("budget-bar").setAttribute("aria-label", (100 * share).toFixed(0) + " % used");
  const ends = b.runsOutSeconds ? "at " + new Date(Date.now() + 1000 * b.runsOutSeconds).toTimeString().slice(0, 5) : "not within a day";
  facts("budget", [
    ["used by all clients", whole(b.used) + " of " + whole(b.max)], ["left of our share", whole(b.left), b.spent],
    ["used up, at this pace", b.spent ? "now" : ends, b.spent || (b.runsOutSeconds > 0 && b.runsOutSeconds < 6 * 3600)],
    ["wait for company", "up to " + seconds(b.waitSeconds), b.short],
  ]);
}

function side(s) {
  const short = (r) => r.endpoint.replace("create", "").replace("TranscriptMessages", "").replace("TranscriptMessage", "single").toLowerCase();
  facts("requests", s.requests.map((r) => [short(r) + ", " + r.outcome, whole(r.count), r.outcome !== "accepted"]));
  put("request-rate", rate(s.monitor.rates.requests) + (s.monitor.rates.refused ? ", refused " + rate(s.monitor.rates.refused) : ""));
  put("connections", whole(s.connections));
  put("calls", whole(s.calls));
  const clock = (skew) => (Math.abs(skew) > 1 ? [clockWords(skew)] : clockWords(skew));
  table("engines", s.monitor.engines.map((e) => [e.dialect, whole(e.connections), clock(e.skew)]));
  table("links", (s.monitor.connections || []).map((c) => [c.dialect + " " + c.remote, whole(c.streams), c.heard < 0 ? "never" : seconds(c.heard) + " ago", clock(c.skew)]));
  const reasons = Object.entries(s.account.rejected || {}).filter(([, n]) => n);
  facts("reasons", reasons.length ? reasons.map(([reason, n]) => [reason, whole(n), true]) : [["nothing", "0"]]);
  put("dead-kept", s.spool ? whole(s.spool.deadLetters) + " kept" : "");
  $("dead").replaceChildren(...(s.monitor.rejected || []).slice(0, 8).map((r) => make("li", "", r.at.slice(11, 19) + " " + r.vendorCallKey + ": " + r.reason)));
  facts("spool", s.spool ? [
    ["on the disk", mega(s.spool.diskBytes) + " of " + mega(s.spool.maxBytes), 2 * s.spool.diskBytes > s.spool.maxBytes],
    ["waiting there only", whole(s.spool.backlog)], ["found waiting at the start", whole(s.spool.recovered)], ["damage", String((s.spool.damage || []).length), (s.spool.damage || []).length > 0],
  ] : [["in memory only", ""]]);
}
const mega = (n) => (n / 1048576).toFixed(n < 1e7 ? 1 : 0) + " MB";

// orgs offers the orgs, where there are several.
function orgs(s) {
  const select = $("org"), names = s.orgNames || [];
  select.hidden = names.length < 2;
  if (document.activeElement === select) return; // somebody is choosing
  if ([...select.options].map((o) => o.value).join() !== names.join()) select.replaceChildren(...names.map((name) => make("option", "", name)));
  select.value = s.org || "";
}
$("org").addEventListener("change", () => { location.search = "?org=" + encodeURIComponent($("org").value); });

// nothing shows an org that nothing works for.
function nothing(s) {
  $("verdict").dataset.state = "lost";
  put("headline", s.cluster ? "This daemon does not work on " + s.org : "Nothing works for this org");
  put("because", s.failed);
  put("live", "live, org " + s.org);
  document.title = "? Steno " + s.org;
}

let heard = 0; // when the last event came

function show(s) {
  heard = Date.now();
  window.stenoShown = s; // for tests: what the page shows
  orgs(s);
  Cluster.draw(s.cluster);
  Cluster.only(Boolean(s.idle));
  if (s.idle) return Cluster.idle(s.cluster);
  if (s.failed) return nothing(s);
  put("live", "live, " + s.monitor.at.slice(11, 19) + " UTC, " + whole(s.calls) + " calls on " + whole(s.connections) + " connections");
  verdict(s); flow(s); law(s); latencies(s); budget(s); side(s);
  Calls.update(s.monitor.calls, s.monitor.text);
}

function connect() {
  const events = new EventSource("/monitor/events?org=" + encodeURIComponent(org));
  events.addEventListener("now", (e) => { const s = JSON.parse(e.data); if (s) show(s); });
  events.addEventListener("hour", (e) => { const h = JSON.parse(e.data); if (h) Charts.draw(h); });
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000); };
}

// A page that hears nothing must not look as if all were well.
setInterval(() => {
  const silent = (Date.now() - heard) / 1000;
  if (heard && silent > 3) {
    $("verdict").dataset.state = "lost";
    put("headline", "No news from Steno for " + Math.round(silent) + " s");
    put("because", "What is below is what was last heard. The page goes on by itself when the daemon is back.");
    put("live", "connection lost, trying again…");
    document.title = "? Steno";
    document.querySelectorAll("main > :not(#verdict)").forEach((e) => e.classList.add("unread"));
  } else document.querySelectorAll(".unread").forEach((e) => e.classList.remove("unread"));
}, 500);

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  Charts.redraw();
}
function turn() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = dark ? "light" : "dark";
  try { localStorage.setItem("theme", name); } catch { /* a browser that keeps nothing */ }
  theme(name);
}
$("theme").addEventListener("click", turn);
document.addEventListener("keydown", (e) => { if (e.key === "t" && document.activeElement.tagName !== "INPUT" && !e.ctrlKey && !e.metaKey && !e.altKey) turn(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Charts.redraw());
try { theme(localStorage.getItem("theme")); } catch { /* the same */ }
$("legend-stages").append(...Charts.stages.flatMap((name) => [make("i", name), document.createTextNode(stageWords[name][0] + " ")]));
connect();
