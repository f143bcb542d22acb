// What the pages do beyond links and forms: keys, and keeping the queue fresh. Everything works without it.
"use strict";

const queue = () => document.getElementById("queue");
const opens = () => [...document.querySelectorAll("#queue a.open")];
const chosen = () => document.activeElement?.closest?.("tr[data-id]");

function move(step) {
  const links = opens();
  const at = links.findIndex((link) => link.closest("tr") === chosen());
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
  links[next]?.focus();
}

// Enter in a field presses the button beside it, not the first one of the form.
document.addEventListener("keydown", (event) => {
  const button = event.key === "Enter" && event.target.matches?.("form input") && event.target.closest(".buttons, fieldset")?.querySelector("button");
  if (!button) return;
  event.preventDefault();
  button.click();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "/") document.getElementById("text")?.focus();
  else if (event.key === "a" || event.key === "u") {
    const where = queue() ? chosen() : document;
    where?.querySelector(`[data-key=${event.key}]`)?.click();
  } else return;
  event.preventDefault();
});

// A refresh replaces the rows: the chosen one stays chosen, or the one that took its place.
let kept = null;
document.addEventListener("htmx:beforeSwap", () => {
  const row = chosen();
  kept = row && { id: row.dataset.id, at: opens().indexOf(row.querySelector("a.open")) };
});
document.addEventListener("htmx:afterSettle", () => {
  if (!kept) return;
  const links = opens();
  (links.find((link) => link.closest("tr").dataset.id === kept.id) ?? links[Math.min(kept.at, links.length - 1)])?.focus();
  kept = null;
});

// An old queue must not look like a quiet one. A button that did not work shows the row as it is now.
const stale = (yes) => { const note = document.getElementById("stale"); if (note) note.hidden = !yes; };
document.addEventListener("htmx:sendError", () => stale(true));
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.requestConfig.verb === "post") refresh();
  else if (event.detail.xhr.status >= 500) stale(true);
});
document.addEventListener("htmx:afterOnLoad", () => stale(false));

const refresh = () => { if (queue()) htmx.trigger(queue(), "refresh"); };
let timer = null;
const soon = () => { timer ??= setTimeout(() => { timer = null; refresh(); }, 400); };

let stream = null;
let dropped = false;
function listen() {
  const address = queue()?.dataset.live;
  if (!address || stream || document.hidden) return;
  stream = new EventSource(address);
  stream.addEventListener("alert", soon);
  stream.addEventListener("reload", soon);
  stream.addEventListener("ready", () => { if (dropped) soon(); dropped = false; });
  stream.onerror = () => { dropped = true; soon(); };
}
// A hidden tab holds no connection: browsers allow only six to one server.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { stream?.close(); stream = null; dropped = true; } else listen();
});
listen();
// Where a proxy swallows the stream, the queue is still never older than this.
setInterval(() => {
  if (!document.hidden && queue()?.dataset.live && stream?.readyState !== EventSource.OPEN) refresh();
}, 15000);

// The first lines of a log are enough to look at: a file of any size is read here up to there, and not sent as a whole.
const HEAD_BYTES = 300000;
document.addEventListener("change", async (event) => {
  const input = event.target.closest?.("input[type=file][data-head]");
  const file = input?.files[0];
  if (!file) return;
  input.form.elements[input.dataset.head].value = await file.slice(0, HEAD_BYTES).text();
  input.value = "";
});
