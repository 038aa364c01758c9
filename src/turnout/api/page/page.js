"use strict";
(() => {
const $ = (id) => document.getElementById(id);
const given = $("data").textContent.trim();
const fixed = given ? JSON.parse(given) : null;
let range = "1h", figures = null, source = null, touched = false;
const charts = {};
// A phone's first screen has room for less.
const roomy = matchMedia("(min-width: 761px)");
const SICK = 0.02;
const el = (tag, text, cls) => {
  const node = document.createElement(tag);
  if (text instanceof Node) node.append(text);
  else if (text !== undefined && text !== null) node.textContent = text;
  if (cls) node.className = cls;
  return node;
};
const none = (x) => x === null || x === undefined;
const usd = (x) => none(x) ? "not known" : (x < 0 ? "−$" : "$") + Math.abs(x).toLocaleString("en-US", {minimumFractionDigits: 6, maximumFractionDigits: 6});
// To the micro-dollar; what is below a cent of many dollars is written small.
const money = (x) => {
  const text = usd(x), node = el("span");
  if (none(x) || Math.abs(x) < 1) node.append(text);
  else node.append(text.slice(0, -4), el("span", text.slice(-4), "micro"));
  return node;
};
// In a sentence.
const about = (x) => none(x) || Math.abs(x) < 1 ? usd(x) : (x < 0 ? "−$" : "$") + Math.abs(x).toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2});
const pct = (x) => none(x) ? "–" : (100 * x).toFixed(1) + " %";
const ms = (x) => none(x) ? "–" : x >= 10000 ? num(Math.round(x)) : x >= 100 ? x.toFixed(0) : x.toFixed(2);
const many = (n, one, more) => num(n) + " " + (n === 1 ? one : more);
const num = (x) => none(x) ? "–" : x.toLocaleString("en-US");
const lines = (...texts) => {
  const node = document.createDocumentFragment();
  node.append(...texts.filter((text) => text).map((text) => text instanceof Node ? text : el("span", text)));
  return node;
};
const rows = (id, pairs) => $(id).replaceChildren(...pairs.flatMap(([name, value]) => [el("dt", name), el("dd", value)]));
// texts: the columns that hold words. Where there are many, or much to read, a phone shows each row as a list.
const table = (id, head, body, texts = [0]) => {
  const node = $(id), wide = (head.length > 3 || texts.length > 1) && body.length > 0;
  const cls = (i) => texts.includes(i) ? "text" : "figure";
  const top = el("tr");
  head.forEach((name, i) => { const th = el("th", name, cls(i)); th.scope = "col"; th.setAttribute("role", "columnheader"); top.append(th); });
  const shown = body.map((cells) => {
    const row = el("tr");
    cells.forEach((value, i) => { const td = el("td", value instanceof Node ? value : el("span", value), cls(i)); td.dataset.name = head[i]; td.setAttribute("role", "cell"); row.append(td); });
    return row;
  });
  if (!body.length) { const row = el("tr"), cell = el("td", "none", "text"); cell.colSpan = head.length; cell.setAttribute("role", "cell"); row.append(cell); shown.push(row); }
  const thead = el("thead"), tbody = el("tbody");
  thead.append(top);
  tbody.append(...shown);
  // Said once more: what is laid out as a list is no table to a browser.
  node.setAttribute("role", "table");
  for (const group of [thead, tbody]) group.setAttribute("role", "rowgroup");
  for (const row of [top, ...shown]) row.setAttribute("role", "row");
  node.className = wide ? "wide" : "";
  node.replaceChildren(thead, tbody);
};
const CACHES = {hit: "the cache had it", stale: "all models failed, and the cache had an old answer", semantic: "the cache had the answer to a like request", collapsed: "another request was asking the same"};
const REASONS = {scored: "by its score", default_scorer: "by the score of the default scorer", novel: "unlike the training logs, decided by its tag", forced: "the caller named the tier or model", forced_ignored: "the caller may not name a tier, so it was routed", budget: "the expensive tier's worst case did not fit the budget", pacing: "spend runs ahead of time, so the threshold was raised", cache: "the cache had it", context: "it did not fit the other model's window", ability: "the other tier's model takes what it holds", sticky: "the conversation stays with its model", sticky_left: "leaving the conversation's model pays", verified: "the cheap answer was checked and kept", escalated: "the cheap answer was checked and not kept", cascade_fallback: "the cheap answer was doubted, and no better one came in time", fallback: "the preferred model failed", fallback_answer: "no model answered, so the configured text did"};
// What is nearer than six digits show is a tie: a share that is kept shares ties out.
const standing = (score, threshold) => {
  for (let digits = 3; digits < 7; digits++) {
    const [a, b] = [score.toFixed(digits), threshold.toFixed(digits)];
    if (a !== b) return "score " + a + (score >= threshold ? " reaches " : " is below ") + "the threshold " + b;
  }
  return "score " + score.toFixed(3) + " ties with the threshold";
};
const words = (d) => {
  const parts = [];
  if (d.error) parts.push("failed: " + d.error);
  if (CACHES[d.cache]) parts.push(CACHES[d.cache]);
  if (REASONS[d.reason] && d.reason !== "scored" && d.reason !== "cache") parts.push(REASONS[d.reason]);
  if (!none(d.score) && !none(d.threshold) && d.cache !== "hit") parts.push(standing(d.score, d.threshold));
  if (d.attempts > 1) parts.push(d.attempts + " attempts");
  return parts.join("; ") || "–";
};
// The share of the last ten minutes' requests that failed: health is of now, whatever the range.
const failing = (f) => {
  const last = Math.max(1, Math.round(600 / f.over_time.step_s));
  const sum = (name) => f.over_time[name].slice(-last).reduce((a, b) => a + b, 0);
  const requests = sum("cheap") + sum("expensive") + sum("none");
  return requests ? sum("errors") / requests : 0;
};
const rolling = /^last (\d+) s$/;
const windowed = (text) => text.replace(rolling, (_, s) => s % 3600 ? "last " + Math.round(s / 60) + " min" : "last " + s / 3600 + " h");
// What never reached a model: malformed, too large, of an unknown model.
const refused = (f) => Object.values(f.refused_by_code).reduce((a, b) => a + b, 0);
const listed = (codes) => Object.entries(codes).map(([code, n]) => num(n) + " " + code).join(", ");
// The promise of the semantic cache, and what keeping it costs.
const semantic = (s) => s.enabled ? [["Semantic error bound", pct(s.bound)], ["promised", pct(s.max_error)], ["Semantic checks", num(s.checks) + ", " + usd(s.checks_usd)]] : [];
// What was thought of the cheap answers, and what came of it.
const cascade = (c) => {
  const read = c.accepted + c.rejected;
  return c.mode === "off" || !read ? "" : " Cascade (" + c.mode + "): " + many(read, "cheap answer read", "cheap answers read") + ", " + pct(c.rejected / read) + " doubted; " + num(c.escalated) + " asked again" + (c.fallback ? ", " + num(c.fallback) + " served though doubted" : "") + ".";
};
// The last first.
const URGENT = ["rate_limited", "queue_age", "inference_p95", "provider_errors", "circuit_open", "store_lost"];
// Each: where it stands below, and what it says; what is wrong before what is worth knowing.
const look = (f) => {
  const wrong = [], known = [], fires = new Map();
  for (const a of f.alerts)
    if (a.firing) fires.set(a.rule, [...(fires.get(a.rule) || []), a]);
    else if (a.undelivered) wrong.push(["alerts", "An alert could not be delivered: " + a.undelivered]);
  for (const [rule, alerts] of [...fires].sort((a, b) => URGENT.indexOf(b[0]) - URGENT.indexOf(a[0]))) wrong.push(["alerts", alerts[0].message + (alerts.length > 1 ? " " + (alerts.length - 1) + " more like it." : "")]);
  for (const [name, c] of Object.entries(f.circuits))
    if (c.state !== "closed" && !fires.has("circuit_open")) wrong.push(["models", "The circuit of " + name + " is " + c.state + (c.misconfigured ? ": check its key and name" : "") + "."]);
    else if (c.state === "closed" && c.paused) wrong.push(["models", name + " asked to be left alone for a while (429)."]);
  for (const b of f.budgets) {
    if (b.spent_usd >= 0.8 * b.limit_usd) wrong.push(["budgets", "Budget " + b.key + ", " + windowed(b.window) + ": " + pct(b.spent_usd / b.limit_usd) + " is spent."]);
    else if (!none(b.forecast_usd) && b.forecast_usd > b.limit_usd && !fires.has("budget_forecast")) wrong.push(["budgets", "Budget " + b.key + ", " + windowed(b.window) + ", will not last: " + about(b.forecast_usd) + " foreseen of " + about(b.limit_usd) + "."]);
  }
  if (!f.store.up && !fires.has("store_lost")) wrong.push(["alerts", "Redis is lost: this worker goes on alone."]);
  const codes = listed(f.errors_by_code);
  if (failing(f) > SICK) wrong.push(["decisions", pct(failing(f)) + " of the last ten minutes' requests failed; since the range began " + codes + "."]);
  else if (f.errors) known.push(["decisions", pct(f.errors / f.requests) + " of the requests failed: " + codes + "."]);
  for (const [name, m] of Object.entries(f.models)) if (m.attempts && m.rate_limited / m.attempts > 0.05 && !fires.has("rate_limited")) wrong.push(["models", name + " answered 429 to " + pct(m.rate_limited / m.attempts) + " of the attempts."]);
  if (!none(f.routing.drift) && f.routing.drift > 0.2 && !fires.has("drift")) wrong.push(["scores", "The traffic has left the training logs (drift " + f.routing.drift.toFixed(2) + "): train again."]);
  if (f.saving_unknown) wrong.push(["models", "The saving is not known: " + f.saving_unknown + "."]);
  const l = f.latency_ms;
  if (!none(l.inference.p95)) known.push(["latency", "The slowest 5 %: inference " + ms(l.inference.p95) + " ms" + (none(l.app.p95) ? "" : ", your app " + ms(l.app.p95) + " ms") + ", Turnout " + ms(l.turnout.p95) + " ms."]);
  const dear = Object.entries(f.endpoints).find(([, e]) => e.cost_usd > 0);
  if (dear) known.push(["endpoints", "The dearest endpoint is " + (dear[0] || "none named") + ": " + about(dear[1].cost_usd) + "."]);
  if (f.top_users.length) known.push(["users", "The top spender is " + f.top_users[0].user + ": " + about(f.top_users[0].cost_usd) + "."]);
  if (refused(f)) known.push([null, "Refused before routing: " + listed(f.refused_by_code) + "."]);
  if (!wrong.length) known.unshift([null, f.requests ? "Nothing needs you now." : "Nothing yet."]);
  const most = roomy.matches ? 6 : 4, left = wrong.length - most;
  return left > 0 ? [...wrong.slice(0, most - 1), ["alerts", left + 1 + " more below."]] : [...wrong, ...known].slice(0, most);
};
const color = (name) => () => getComputedStyle(document.documentElement).getPropertyValue(name);
// A value between two gaps is a point, for no line leads to it.
const alone = (u, at) => u.data[at].flatMap((x, i, all) => none(x) || !none(all[i - 1]) || !none(all[i + 1]) ? [] : [i]);
const line = (label, name, say, dash) => ({label, stroke: color(name), width: 1.5, dash, value: (u, x) => say(x), points: {show: true, size: 4, filter: alone}});
const two = (n) => String(n).padStart(2, "0");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const clock = (s) => { const at = new Date(1000 * s); return two(at.getUTCHours()) + ":" + two(at.getUTCMinutes()); };
const day = (s) => { const at = new Date(1000 * s); return at.getUTCDate() + " " + MONTHS[at.getUTCMonth()]; };
// Steps of what is counted.
const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7, 8].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));
const powers = (u, v) => v.map((x) => Math.abs(Math.log10(x) % 1) < 1e-9 ? x : null);
// Where nobody points at a time, the legend tells the last one.
const lastly = (u) => { if (none(u.cursor.idx) && u.data[0].length) u.setLegend({idx: u.data[0].length - 1}, false); };
const chart = (id, data, series, options = {}) => {
  const box = $(id), width = box.clientWidth, height = 160;
  if (charts[id]) { charts[id].setSize({width, height}); charts[id].setData(data); }
  else {
    const ink = color("--muted"), grid = {stroke: color("--line"), width: 1};
    const times = (u, at) => at.map((s, i) => clock(s) + (i === 0 || day(s) !== day(at[i - 1]) ? "\n" + day(s) : ""));
    const axes = [{stroke: ink, grid, space: 64, values: times}, {stroke: ink, grid: {...grid, ...options.steps}, ticks: {...grid, ...options.steps}, size: 48, ...options.steps, ...options.axis}];
    const x = {label: "UTC", value: (u, s) => none(s) ? "" : clock(s)};
    charts[id] = new uPlot({width, height, series: [x, ...series], axes, scales: options.scales || {}, tzDate: (s) => uPlot.tzDate(new Date(1000 * s), "Etc/UTC"), cursor: {drag: {x: false, y: false}}, hooks: {setLegend: [lastly]}}, data, box);
  }
  lastly(charts[id]);
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", series.map((s, i) => s.label + ": last " + data[i + 1].reduce((last, x) => none(x) ? last : s.value(null, x), "none")).join("; "));
};
const drawCharts = (f) => {
  const o = f.over_time, xs = o.cheap.map((_, i) => o.start + i * o.step_s), say = (how) => (x) => none(x) ? "–" : how(x);
  const count = say(num), dollars = say(about), percent = say((x) => x.toFixed(1) + " %"), took = say((x) => ms(x) + " ms");
  chart("c-requests", [xs, o.cheap, o.expensive, o.none], [line("cheap", "--a", count), line("expensive", "--b", count, [8, 3]), line("none", "--c", count, [2, 3])], {axis: {incrs: WHOLE}});
  chart("c-usd", [xs, o.cheap_usd, o.expensive_usd], [line("cheap", "--a", dollars), line("expensive", "--b", dollars, [8, 3])], {axis: {size: 72, values: (u, v) => v.map((x) => "$" + +x.toPrecision(3))}});
  chart("c-hit", [xs, o.hit_rate.map((x) => none(x) ? null : 100 * x)], [line("hit rate", "--a", percent)], {scales: {y: {range: [0, 100]}}});
  const positive = (list) => list.map((x) => none(x) || x <= 0 ? null : x);
  chart("c-latency", [xs, positive(o.app_p95_ms), positive(o.turnout_p95_ms), positive(o.inference_p95_ms)], [line("app", "--c", took, [2, 3]), line("Turnout", "--a", took), line("inference", "--b", took, [8, 3])], {scales: {y: {distr: 3}}, steps: {filter: powers}, axis: {size: 64, values: (u, v) => v.map((x) => none(x) ? "" : x < 1000 ? x + " ms" : x / 1000 + " s")}});
};
// What the scored requests would have cost with this threshold, and the share that would have gone up.
const at = (threshold) => {
  const r = figures.routing;
  let cost = 0, number = 0, up = 0;
  r.scores.forEach((n, i) => {
    const dear = i / r.scores.length >= threshold - 1e-9;
    number += n;
    up += dear ? n : 0;
    cost += r.score_cost_usd[dear ? "expensive" : "cheap"][i];
  });
  return {cost, number, up};
};
const drawScores = () => {
  const r = figures.routing, most = Math.max(1, ...r.scores), threshold = Number($("threshold").value), would = at(threshold);
  $("threshold-value").textContent = threshold.toFixed(2);
  $("bars").replaceChildren(...r.scores.map((n, i) => { const bar = el("i", null, i / r.scores.length >= threshold - 1e-9 ? "up" : ""); bar.style.height = (100 * n / most) + "%"; return bar; }));
  $("bars").setAttribute("aria-label", "Histogram of " + num(r.decided) + " scores");
  $("what-if").textContent = would.number ? "At " + threshold.toFixed(2) + " the " + num(would.number) + " scored requests would have cost " + about(would.cost) + ", with " + pct(would.up / would.number) + " of them on the expensive tier, each at its tier's first model; all cheap " + about(at(2).cost) + ", all expensive " + about(at(0).cost) + ". Nothing is changed by this." : "No request was scored in this time.";
};
const drawDecisions = () => {
  const wanted = $("filter").value.trim().toLowerCase();
  const all = figures.decisions.map((d) => ({d, why: words(d), when: day(d.time) + " " + clock(d.time) + ":" + two(Math.floor(d.time) % 60)}));
  const shown = all.filter(({d, why, when}) => !wanted || [when, d.tier, d.model, why, d.endpoint, d.user, d.id].join(" ").toLowerCase().includes(wanted));
  $("shown").textContent = num(shown.length) + " of the last " + num(all.length);
  table("t-decisions", ["Time (UTC)", "Tier, model", "Why", "USD", "Inference, Turnout ms", "Endpoint, user, request"], shown.map(({d, why, when}) => [when, lines(d.tier, d.model), why, money(d.cost_usd), lines(ms(d.inference_ms), ms(d.turnout_ms)), lines(d.endpoint || "no endpoint", d.user, d.id)]), [0, 1, 2, 5]);
};
const queued = (q) => none(q.depth) ? "The queue cannot be asked." : many(q.depth, "job waits", "jobs wait") + (q.oldest_s ? ", the oldest for " + q.oldest_s.toFixed(0) + " s" : "") + (none(q.running) ? "" : ", " + many(q.running, "runs", "run") + "; " + many(q.workers, "process works", "processes work") + " on them") + ".";
const TIMES = {turnout: "Turnout", inference: "inference", first_chunk: "inference, to the first content", job_wait: "jobs, waiting", job_run: "jobs, running", app: "your app"};
const tokens = (t) => num(t.prompt) + " + " + num(t.completion);
const draw = () => {
  const f = figures;
  const bad = Object.values(f.circuits).filter((c) => c.state !== "closed").length;
  const firing = f.alerts.filter((a) => a.firing);
  const sick = bad || firing.length || failing(f) > SICK || !f.store.up;
  $("scope").textContent = "Figures of " + f.scope + " since " + f.since.replace("T", " ").slice(0, 16) + " UTC";
  $("health").textContent = sick ? "Look closer" : f.requests ? "Healthy" : "No requests yet";
  $("health").className = "big " + (sick ? "bad" : "good");
  $("traffic").textContent = many(f.requests, "request", "requests") + ", " + num(f.errors) + " failed" + (f.errors ? " (" + pct(f.errors / f.requests) + ")" : "");
  const ratings = f.feedback.count ? num(f.feedback.count) + ", mean " + f.feedback.mean_quality.toFixed(2) : "none";
  rows("health-rows", [["Failed, last ten minutes", pct(failing(f))], ["Refused before routing", num(refused(f))], ["Circuits not closed", num(bad)], ["Alerts", num(firing.length)], ["Retries", num(f.retries)], ["Fallbacks", num(f.fallbacks)], ["Inference p95", ms(f.latency_ms.inference.p95) + " ms"], ["Ratings", ratings]]);
  $("cost").replaceChildren(money(f.cost_usd));
  $("saving").replaceChildren(money(f.saving_usd));
  $("saving-of").textContent = "saved" + (f.saving_usd !== null && f.cost_all_expensive_usd > 0 ? " (" + pct(f.saving_usd / f.cost_all_expensive_usd) + ")" : "");
  const part = f.saving_parts_usd || {};
  rows("money-rows", [["All at the expensive tier", money(f.cost_all_expensive_usd)], ["Saved by routing", money(part.routing)], ["by the cache", money(part.cache)], ["by semantic hits", money(part.semantic)], ["by batches", money(part.batch)], ["Paid for failed attempts", money(f.failed_attempts_usd)], ["Hit rate", pct(f.cache.hit_rate)], ...semantic(f.semantic)]);
  $("look").replaceChildren(...look(f).map(([place, text]) => {
    const item = el("li", place ? null : text);
    if (place) { const link = el("a", text); link.href = "#h-" + place; item.append(link); }
    return item;
  }));
  drawCharts(f);
  table("t-alerts", ["Rule", "Of", "What it says"], f.alerts.map((a) => [a.rule, a.subject || "–", a.message || "not delivered: " + a.undelivered]), [0, 1, 2]);
  const r = f.routing;
  if (!touched && !none(r.threshold)) $("threshold").value = Math.min(1, r.threshold);
  $("score-note").textContent = "Threshold now: " + (none(r.threshold) ? "none yet" : r.threshold.toFixed(3)) + ". Share on the expensive tier: " + pct(r.kept_share) + (none(r.asked_share) ? "" : " (asked for: " + pct(r.asked_share) + ")") + ". Novel: " + pct(r.novel_share) + ". Drift: " + (none(r.drift) ? "not measured yet" : r.drift.toFixed(3)) + "." + cascade(f.cascade);
  drawScores();
  table("t-latency", ["Part", "Count", "Mean ms", "p50 ms", "p95 ms", "p99 ms"], Object.entries(f.latency_ms).filter(([, l]) => l.count).map(([name, l]) => [TIMES[name] || name, num(l.count), ms(l.mean), ms(l.p50), ms(l.p95), ms(l.p99)]));
  table("t-models", ["Model", "Circuit", "Requests", "USD", "Tokens in + out", "Attempts", "Failed", "429s", "Retries", "p95 ms"], Object.entries(f.models).map(([name, m]) => {
    const c = Object.values(f.circuits).find((one) => one.models.includes(name));
    const failed = Object.entries(m.errors).filter(([kind]) => kind !== "rate_limited").map(([kind, n]) => num(n) + " " + kind);
    return [name, c ? c.state + (c.paused ? ", paused" : "") : "–", num(m.requests), money(m.cost_usd), tokens(m.tokens), num(m.attempts), failed.length ? lines(...failed) : "0", num(m.rate_limited), num(m.retries), ms(m.inference_p95_ms)];
  }), [0, 1]);
  table("t-endpoints", ["Endpoint", "Requests", "USD"], Object.entries(f.endpoints).map(([name, e]) => [name || "none named", num(e.requests), money(e.cost_usd)]));
  table("t-reasons", ["Reason", "In words", "Requests"], Object.entries(f.reasons).sort((a, b) => b[1] - a[1]).map(([name, n]) => [name, REASONS[name] || "–", num(n)]), [0, 1]);
  table("t-budgets", ["Budget", "Window", "Limit", "Spent", "Of it", "Reserved", "Foreseen"], f.budgets.map((b) => [b.key, windowed(b.window), money(b.limit_usd), money(b.spent_usd), b.limit_usd ? pct(b.spent_usd / b.limit_usd) : "–", money(b.reserved_usd), none(b.forecast_usd) ? "–" : money(b.forecast_usd)]), [0, 1]);
  $("queue").textContent = queued(f.queue);
  table("t-users", ["User", "USD"], f.top_users.map((u) => [u.user, money(u.cost_usd)]));
  drawDecisions();
};
const take = (data) => { figures = data; draw(); };
const listen = () => {
  if (source) source.close();
  source = new EventSource("status/events?range=" + range);
  source.onmessage = (event) => { $("live").textContent = ""; take(JSON.parse(event.data)); };
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) $("live").textContent = "Not updating: reload the page."; };
};
const ranges = fixed ? [fixed.range] : ["1h", "6h", "24h", "48h"];
$("ranges").replaceChildren(...ranges.map((name) => {
  const button = el("button", name);
  button.type = "button";
  button.setAttribute("aria-pressed", String(fixed !== null || name === range));
  button.onclick = () => {
    if (fixed) return;
    range = name;
    for (const other of $("ranges").children) other.setAttribute("aria-pressed", String(other === button));
    listen();
  };
  return button;
}));
$("threshold").oninput = () => { touched = true; if (figures) drawScores(); };
$("filter").oninput = () => { if (figures) drawDecisions(); };
addEventListener("resize", () => { if (figures) drawCharts(figures); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const one of Object.values(charts)) one.redraw(); });
// A phone's first screen has no room for them.
const fold = () => { for (const one of document.querySelectorAll("details")) one.open = roomy.matches; };
roomy.addEventListener("change", () => { fold(); if (figures) draw(); });
fold();
if (fixed) { take(fixed); $("live").textContent = "A report: it does not update."; } else listen();
})();
