// The list of calls, the search, and one call's timeline. What engines say and
// how they name their calls is put into the page as text, never as markup.
"use strict";

// org is which of several orgs the page shows; empty: the default one.
const org = new URLSearchParams(location.search).get("org") || "";

// make builds an element: text is text whatever it holds.
function make(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// seconds writes a duration as people read it.
function seconds(s) {
  if (s < 10) return s.toFixed(2) + " s";
  if (s < 120) return s.toFixed(1) + " s";
  if (s < 7200) return Math.round(s / 60) + " min";
  return Math.round(s / 3600) + " h";
}

const speakers = { END_USER: "caller", EXTERNAL_USER: "caller", HUMAN_AGENT: "agent", VIRTUAL_AGENT: "bot", SUPERVISOR: "supervisor" };
const who = (u) => speakers[u.sender] || u.sender || "?";

const Calls = (() => {
  const list = document.getElementById("call-list"), one = document.getElementById("one");
  const search = document.getElementById("search"), found = document.getElementById("found");
  let open = null, shownText = false, asked = 0;

  function words(u, partial) {
    const p = make("span", partial ? "partial" : "");
    p.append(make("span", "who", who(u) + " "), document.createTextNode(u.text || (partial ? "is speaking…" : "said something")));
    return p;
  }

  function state(c) {
    const s = make("span", "state");
    const u = c.said[c.said.length - 1];
    if (c.oldest > 1) s.append(make("span", "bad", c.waiting + " wait, " + seconds(c.oldest)));
    else if (c.silent) s.append(make("span", "bad", c.silent + " silent"));
    else if (u && u.rejected) s.append(make("span", "bad", "rejected: " + u.rejected));
    else if (u && u.answered) s.append(make("span", "", "+" + seconds(u.latency)));
    else s.append(make("span", "", u ? "on its way" : "no speech yet"));
    return s;
  }

  function row(c) {
    const li = make("li"), b = make("button");
    b.type = "button";
    const last = make("span", "last");
    const partial = c.partials && c.partials[c.partials.length - 1];
    if (partial) last.append(words(partial, true));
    else if (c.said.length) last.append(words(c.said[c.said.length - 1], false));
    else last.append(make("span", "partial", "…"));
    b.append(make("span", "key", c.vendorCallKey), last, state(c));
    b.dataset.key = c.vendorCallKey;
    b.addEventListener("click", () => { show(c.org || "", c.vendorCallKey); });
    li.append(b);
    return li;
  }

  // fill replaces the list, and keeps the focus on the call that has it.
  function fill(calls) {
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    list.replaceChildren(...calls.map(row));
    if (focused === null) return;
    for (const b of list.querySelectorAll("button")) if (b.dataset.key === focused) b.focus({ preventScroll: true });
  }

  async function get(path) {
    const answer = await fetch(path);
    return answer.ok ? answer.json() : null;
  }

  async function find() {
    const mine = ++asked, answer = await get("/monitor/calls?org=" + encodeURIComponent(org) + "&q=" + encodeURIComponent(search.value)).catch(() => null);
    if (answer === null || mine !== asked || !search.value) return;
    found.textContent = answer.found + " found" + (answer.found > answer.shown.length ? ", the first " + answer.shown.length + " shown" : "");
    fill(answer.shown);
  }

  function clock(ms) { return ms ? new Date(ms).toISOString().slice(11, 23) : "–"; }

  function line(u) {
    const li = make("li");
    li.append(words(u, false));
    const fate = u.rejected ? "rejected: " + u.rejected : u.answered ? "on the console after " + seconds(u.latency) : "waits for " + seconds(u.latency);
    li.append(make("div", u.rejected ? "bad" : "", fate + (u.requests > 1 ? ", " + u.requests + " requests" : "")));
    li.append(make("div", "stamps", "end of speech " + clock(u.spoken) + " · received " + clock(u.received) + " · written " + clock(u.written) + " · accepted " + (u.rejected ? "–" : clock(u.answered)) + " UTC"));
    return li;
  }

  async function look() {
    const mine = open;
    if (!mine) return;
    const c = await get("/monitor/call?org=" + encodeURIComponent(mine.org) + "&key=" + encodeURIComponent(mine.key)).catch(() => null);
    if (open !== mine) return;
    const top = make("div", "top"), close = make("button", "", "Close"), talk = make("ul", "talk");
    top.append(make("h3", "", mine.key), close);
    close.type = "button";
    close.addEventListener("click", shut);
    if (!c) talk.append(make("li", "", "This call is over, or has been quiet for long."));
    else {
      top.firstChild.append(document.createTextNode(" "), make("small", "", c.dialect + ", " + (c.open ? "open" : "no stream open") + ", for " + seconds(c.age) + (c.silent ? ", " + c.silent + " silent" : "")));
      c.said.forEach((u) => talk.append(line(u)));
      (c.partials || []).forEach((p) => { const li = make("li"); li.append(words(p, true)); talk.append(li); });
      if (!c.said.length && !c.partials) talk.append(make("li", "partial", "nothing was said yet"));
    }
    const focused = one.contains(document.activeElement);
    one.replaceChildren(top, talk);
    one.hidden = false;
    if (focused || mine.fresh) close.focus({ preventScroll: true });
    mine.fresh = false;
  }

  function show(org, key) { open = { org, key, fresh: true }; look(); }
  function shut() { open = null; one.hidden = true; search.focus(); }

  search.addEventListener("input", () => { if (search.value) find(); else { asked++; found.textContent = ""; if (latest) fill(latest); } });
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && document.activeElement !== search) { e.preventDefault(); search.focus(); }
    if (e.key === "Escape") { if (open) shut(); else if (search.value) { search.value = ""; search.dispatchEvent(new Event("input")); } }
  });

  let latest = null;
  function update(calls, text) {
    latest = calls.shown;
    shownText = text;
    const more = calls.active > calls.shown.length ? "the " + calls.shown.length + " that need a look, or are newest" : "";
    document.getElementById("calls-note").textContent = [calls.oneSided ? calls.oneSided + " with a silent side" : "", more].filter(Boolean).join("; ");
    document.getElementById("text-note").textContent = shownText ? "" : "What is said is not shown: STENO_MONITOR_TEXT is off.";
    if (search.value) find(); else fill(latest);
    look();
  }
  return { update };
})();
