"use strict";
(() => {
const $ = (id) => document.getElementById(id);
const given = $("data").textContent.trim();
const fixed = given ? JSON.parse(given) : null;
let range = "1h", figures = null, source = null, touched = false;
const charts = {};
const el = (tag, text, cls) => {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = text;
  if (cls) node.className = cls;
  return node;
};
const usd = (x) => x === null || x === undefined ? "not known" : (x < 0 ? "−" : "") + "$" + Math.abs(x).toFixed(6);
const pct = (x) => x === null || x === undefined ? "–" : (100 * x).toFixed(1) + " %";
const ms = (x) => x === null || x === undefined ? "–" : x >= 100 ? x.toFixed(0) : x.toFixed(2);
const num = (x) => x === null || x === undefined ? "–" : x.toLocaleString("en-US");
const rows = (id, pairs) => {
  const list = $(id);
  list.replaceChildren(...pairs.flatMap(([name, value]) => [el("dt", name), el("dd", value)]));
};
const table = (id, head, lines, wide) => {
  const thead = el("thead"), tr = el("tr");
  head.forEach((name, i) => { const th = el("th", name, wide && wide.includes(i) ? "text" : ""); th.scope = "col"; tr.append(th); });
  thead.append(tr);
  const body = el("tbody");
  for (const line of lines) {
    const row = el("tr");
    line.forEach((value, i) => row.append(el("td", value, wide && wide.includes(i) ? "text wrap" : "")));
    body.append(row);
  }
  if (!lines.length) { const row = el("tr"), cell = el("td", "none"); cell.colSpan = head.length; row.append(cell); body.append(row); }
  $(id).replaceChildren(thead, body);
};
const CACHES = {hit: "the cache had it", stale: "all models failed, and the cache had an old answer", semantic: "the cache had the answer to a like request", collapsed: "another request was asking the same"};
const REASONS = {forced: "the caller named the tier or model", forced_ignored: "the caller may not name a tier, so it was routed", budget: "the expensive tier's worst case did not fit the budget", pacing: "spend runs ahead of time, so the threshold was raised", novel: "unlike the training logs, decided by its tag", default_scorer: "by the default scorer", fallback: "the preferred model failed", fallback_answer: "no model answered, so the configured text did", context: "it did not fit the other model's window", sticky: "the conversation stays with its model", sticky_left: "leaving the conversation's model pays", verified: "the cheap answer was checked and kept", escalated: "the cheap answer was checked and not kept"};
const words = (d) => {
  const parts = [];
  if (d.error) parts.push("failed: " + d.error);
  if (CACHES[d.cache]) parts.push(CACHES[d.cache]);
  if (REASONS[d.reason]) parts.push(REASONS[d.reason]);
  if (d.score !== null && d.threshold !== null && d.cache !== "hit")
    parts.push("score " + d.score.toFixed(3) + (d.score >= d.threshold ? " reaches " : " is below ") + "the threshold " + d.threshold.toFixed(3));
  if (d.attempts > 1) parts.push(d.attempts + " attempts");
  return parts.join("; ") || "–";
};
const look = (f) => {
  const found = [];
  for (const a of f.alerts) if (a.firing) found.push(a.message); else if (a.undelivered) found.push("An alert could not be delivered: " + a.undelivered);
  for (const [name, c] of Object.entries(f.circuits))
    if (c.state !== "closed") found.push("The circuit of " + name + " is " + c.state + (c.misconfigured ? ": check its key and name" : "") + ".");
    else if (c.paused) found.push(name + " asked to be left alone for a while (429).");
  for (const b of f.budgets) {
    if (b.spent_usd >= 0.8 * b.limit_usd) found.push("Budget " + b.key + " per " + b.window + ": " + pct(b.spent_usd / b.limit_usd) + " is spent.");
    else if (b.forecast_usd !== null && b.forecast_usd > b.limit_usd) found.push("Budget " + b.key + " per " + b.window + " will not last: " + usd(b.forecast_usd) + " foreseen of " + usd(b.limit_usd) + ".");
  }
  if (!f.store.up) found.push("Redis is lost: this worker goes on alone.");
  if (f.requests && f.errors / f.requests > 0.02) found.push(pct(f.errors / f.requests) + " of the requests failed: " + Object.entries(f.errors_by_code).map(([k, v]) => v + " " + k).join(", ") + ".");
  for (const [name, m] of Object.entries(f.models)) if (m.attempts && m.rate_limited / m.attempts > 0.05) found.push(name + " answers 429 to " + pct(m.rate_limited / m.attempts) + " of the attempts.");
  if (f.routing.drift !== null && f.routing.drift > 0.2) found.push("The traffic has left the training logs (drift " + f.routing.drift.toFixed(2) + "): train again.");
  const l = f.latency_ms;
  if (l.inference.p95 !== null) found.push("The slowest 5 %: inference " + ms(l.inference.p95) + " ms" + (l.app.p95 !== null ? ", your app " + ms(l.app.p95) + " ms" : "") + ", Turnout " + ms(l.turnout.p95) + " ms.");
  const dear = Object.entries(f.endpoints).find(([, e]) => e.cost_usd > 0);
  if (dear) found.push("The dearest endpoint is " + (dear[0] || "none named") + ": " + usd(dear[1].cost_usd) + ".");
  if (f.top_users.length) found.push("The top spender is " + f.top_users[0].user + ": " + usd(f.top_users[0].cost_usd) + ".");
  return found.length ? found : ["Nothing yet."];
};
const line = (label, color, dash) => ({label, stroke: () => getComputedStyle(document.documentElement).getPropertyValue(color), width: 2, dash, spanGaps: true, points: {show: true, size: 4}});
const chart = (id, data, series, options) => {
  const box = $(id), width = box.clientWidth, height = 160;
  if (charts[id]) { charts[id].setSize({width, height}); charts[id].setData(data); }
  else {
    const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--muted");
    const grid = {stroke: () => getComputedStyle(document.documentElement).getPropertyValue("--line"), width: 1};
    const axes = [{stroke: ink, grid}, Object.assign({stroke: ink, grid, size: 78}, options && options.axis)];
    charts[id] = new uPlot({width, height, series: [{}, ...series], axes, scales: Object.assign({}, options && options.scales), cursor: {drag: {x: false, y: false}}}, data, box);
  }
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", series.map((s, i) => s.label + ": last " + data[i + 1].reduce((last, x) => x === null ? last : x, "none")).join("; "));
};
const drawCharts = (f) => {
  const o = f.over_time, xs = o.cheap.map((_, i) => o.start + i * o.step_s);
  chart("c-requests", [xs, o.cheap, o.expensive, o.none], [line("cheap", "--a"), line("expensive", "--b", [8, 3]), line("none", "--c", [2, 3])]);
  chart("c-usd", [xs, o.cheap_usd, o.expensive_usd], [line("cheap", "--a"), line("expensive", "--b", [8, 3])], {axis: {values: (u, v) => v.map((x) => "$" + +x.toPrecision(3))}});
  chart("c-hit", [xs, o.hit_rate.map((x) => x === null ? null : 100 * x)], [line("hit rate %", "--a")], {scales: {y: {range: [0, 100]}}});
  const positive = (list) => list.map((x) => x === null || x <= 0 ? null : x);
  chart("c-latency", [xs, positive(o.app_p95_ms), positive(o.turnout_p95_ms), positive(o.inference_p95_ms)], [line("app", "--c", [2, 3]), line("Turnout", "--a"), line("inference", "--b", [8, 3])], {scales: {y: {distr: 3}}, axis: {values: (u, v) => v.map((x) => x === null ? "" : String(x))}});
};
const drawScores = () => {
  const r = figures.routing, most = Math.max(1, ...r.scores), at = Number($("threshold").value);
  $("threshold-value").textContent = at.toFixed(2);
  $("bars").replaceChildren(...r.scores.map((n, i) => { const bar = el("i", null, i / r.scores.length >= at - 1e-9 ? "up" : ""); bar.style.height = (100 * n / most) + "%"; return bar; }));
  $("bars").setAttribute("aria-label", "Histogram of " + num(r.decided) + " scores");
  let cheap = 0, dear = 0, number = 0, would = 0;
  r.scores.forEach((n, i) => {
    number += n;
    if (i / r.scores.length >= at - 1e-9) { would += n; dear += r.score_cost_usd.expensive[i]; } else cheap += r.score_cost_usd.cheap[i];
  });
  $("what-if").textContent = number ? "At " + at.toFixed(2) + " the " + num(number) + " scored requests would have cost " + usd(cheap + dear) + ", with " + pct(would / number) + " of them on the expensive tier, each at its tier's first model. Nothing is changed by this." : "No request was scored in this time.";
};
const drawDecisions = () => {
  const wanted = $("filter").value.trim().toLowerCase();
  const lines = figures.decisions.map((d) => [new Date(1000 * d.time).toISOString().slice(11, 19), d.tier, d.model || "–", d.score === null ? "–" : d.score.toFixed(3), words(d), usd(d.cost_usd), ms(d.inference_ms), ms(d.turnout_ms), d.endpoint || "–", d.user, d.id]);
  const shown = lines.filter((cells) => !wanted || cells.join(" ").toLowerCase().includes(wanted));
  $("shown").textContent = num(shown.length) + " of the last " + num(lines.length);
  table("t-decisions", ["Time (UTC)", "Tier", "Model", "Score", "Why", "USD", "Inference ms", "Turnout ms", "Endpoint", "User", "Request"], shown, [1, 2, 4, 8, 9, 10]);
};
const draw = () => {
  const f = figures;
  const bad = Object.values(f.circuits).filter((c) => c.state !== "closed").length;
  const firing = f.alerts.filter((a) => a.firing).length;
  const rate = f.requests ? f.errors / f.requests : 0;
  const sick = bad || firing || rate > 0.02 || !f.store.up;
  $("scope").textContent = "Figures of " + f.scope + " since " + f.since.replace("T", " ").slice(0, 16) + " UTC";
  $("health").textContent = sick ? "Look closer" : f.requests ? "Healthy" : "No requests yet";
  $("health").className = "big " + (sick ? "bad" : "good");
  rows("health-rows", [["Requests", num(f.requests)], ["Failed", num(f.errors) + " (" + pct(f.requests ? rate : null) + ")"], ["Circuits not closed", num(bad)], ["Alerts", num(firing)], ["Retries, fallbacks", num(f.retries) + ", " + num(f.fallbacks)], ["Inference p95", ms(f.latency_ms.inference.p95) + " ms"]]);
  $("cost").textContent = usd(f.cost_usd);
  const part = f.saving_parts_usd || {};
  rows("money-rows", [["All at the expensive tier", usd(f.cost_all_expensive_usd)], ["Saved", usd(f.saving_usd)], ["by routing", usd(part.routing)], ["by the cache", usd(part.cache)], ["by semantic hits", usd(part.semantic)], ["by batches", usd(part.batch)], ["Paid for failed attempts", usd(f.failed_attempts_usd)], ["Hit rate", pct(f.cache.hit_rate)]]);
  $("look").replaceChildren(...look(f).map((text) => el("li", text)));
  drawCharts(f);
  const r = f.routing;
  if (!touched && r.threshold !== null) $("threshold").value = Math.min(1, r.threshold);
  $("score-note").textContent = "Threshold now: " + (r.threshold === null ? "–" : r.threshold.toFixed(3)) + ". Share on the expensive tier: " + pct(r.kept_share) + (r.asked_share !== null ? " (asked for: " + pct(r.asked_share) + ")" : "") + ". Novel: " + pct(r.novel_share) + ". Drift: " + (r.drift === null ? "–" : r.drift.toFixed(3)) + ".";
  drawScores();
  table("t-latency", ["Part", "Count", "Mean ms", "p50 ms", "p95 ms", "p99 ms"], Object.entries(f.latency_ms).map(([name, l]) => [name.replace("_", " "), num(l.count), ms(l.mean), ms(l.p50), ms(l.p95), ms(l.p99)]));
  table("t-models", ["Model", "Requests", "USD", "Attempts", "Errors", "429s", "Retries", "Inference p95 ms", "Circuit"], Object.entries(f.models).map(([name, m]) => {
    const c = Object.values(f.circuits).find((one) => one.models.includes(name));
    const errors = Object.entries(m.errors).filter(([kind]) => kind !== "rate_limited").map(([kind, n]) => n + " " + kind).join(", ");
    return [name, num(m.requests), usd(m.cost_usd), num(m.attempts), errors || "0", num(m.rate_limited), num(m.retries), ms(m.inference_p95_ms), c ? c.state + (c.paused ? ", paused" : "") : "–"];
  }));
  table("t-endpoints", ["Endpoint", "Requests", "USD"], Object.entries(f.endpoints).map(([name, e]) => [name || "none named", num(e.requests), usd(e.cost_usd)]));
  table("t-budgets", ["Budget", "Window", "Limit", "Spent", "Reserved", "Foreseen"], f.budgets.map((b) => [b.key, b.window, usd(b.limit_usd), usd(b.spent_usd), usd(b.reserved_usd), b.forecast_usd === null ? "–" : usd(b.forecast_usd)]));
  $("queue").textContent = num(f.queue.depth) + " jobs wait" + (f.queue.oldest_s ? ", the oldest for " + f.queue.oldest_s.toFixed(0) + " s" : "") + ".";
  table("t-users", ["User", "USD"], f.top_users.map((u) => [u.user, usd(u.cost_usd)]));
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
if (fixed) { take(fixed); $("live").textContent = "A report: it does not update."; } else listen();
})();
