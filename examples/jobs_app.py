"""A FastAPI app whose heavy questions become jobs: a page that submits one, follows its events and shows the answer.

    uvicorn examples.jobs_app:app

The settings need one line more than an app without jobs: `[queue]`.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from turnout.asgi import TurnoutMiddleware

app = FastAPI()
app.add_middleware(TurnoutMiddleware, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml"))

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Jobs</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
form { display: flex; flex-wrap: wrap; gap: .5rem }
input { flex: 1 1 16rem } input, button { font: inherit; padding: .3rem .7rem }
pre { white-space: pre-wrap; font: inherit; min-height: 3rem; padding: .7rem; border: 1px solid; border-radius: .4rem }
</style>
<h1>Ask, and be told when it is done</h1>
<form id="form"><input id="question" value="How much is two and two?" aria-label="Question">
<button>Ask</button> <button type="button" id="cancel" disabled>Cancel</button></form>
<p>Status: <output id="status">nothing asked yet</output></p>
<pre id="answer" aria-live="polite"></pre>
<script>
const get = id => document.getElementById(id);
let job = null, secret = null;
const headers = () => secret ? {"x-turnout-job-secret": secret} : {};

async function follow(from) {
  const response = await fetch(job + "/events", {headers: {...headers(), "last-event-id": String(from)}});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return from;
    text += value;
    const events = text.split("\\n\\n");
    text = events.pop();
    for (const event of events) {
      const fields = Object.fromEntries(event.split("\\n").map(line => line.split(/: (.*)/s).slice(0, 2)));
      if (!fields.data) continue;
      from = Number(fields.id);
      const data = JSON.parse(fields.data);
      if (fields.event === "status") {
        get("status").textContent = data.status;
        if (data.status === "running") get("answer").textContent = "";
        if (["done", "failed", "cancelled"].includes(data.status)) {
          get("cancel").disabled = true;
          get("answer").textContent = data.error ? data.error.message
            : data.result ? data.result.choices[0].message.content : "";
          return null;
        }
      } else {
        get("answer").textContent += data.choices[0]?.delta?.content ?? "";
      }
    }
  }
}

get("form").onsubmit = async event => {
  event.preventDefault();
  get("answer").textContent = "";
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: {"content-type": "application/json", "prefer": "respond-async"},
    body: JSON.stringify({messages: [{role: "user", content: get("question").value}], stream: true}),
  });
  if (response.status !== 202) {
    get("status").textContent = (await response.json()).error.message;
    return;
  }
  job = response.headers.get("location");
  secret = response.headers.get("x-turnout-job-secret");
  get("cancel").disabled = false;
  // A connection that breaks is taken up again after the last event that came.
  for (let from = 0; from !== null;) from = await follow(from);
};
get("cancel").onclick = () => fetch(job, {method: "DELETE", headers: headers()});
</script></html>"""


@app.get("/")
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(PAGE)
