// Keeps the page as it would be after a reload: takes sections from /events, and minds focus, filter and clocks.
// Without this script the page is complete and stands still.
"use strict";

const RETRY_MS = 2000;
const SILENT_MS = 12000; // three beats of the server
const LATE_S = 60;
const OUT = new Set(["warn", "hold", "retrain"]); // levels that stand out

const link = document.getElementById("link");
const linkText = document.getElementById("link-text");
const silent = document.getElementById("silent");
const said = document.getElementById("said");
let source = null;
let heard = Date.now();
let skew = 0; // the server's clock minus ours, in ms
let level = verdict().level;

function verdict() {
  const found = document.querySelector(".verdict");
  return { level: found.dataset.level, at: Number(found.dataset.at), text: found.textContent.replace(/\s+/g, " ").trim() };
}

function ago(seconds) { // as words.py writes it
  if (seconds < 1) return "just now";
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit} ago`;
  }
  return `${Math.round(seconds)} s ago`;
}

function moment(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes `old` like `fresh` and leaves alone what is alike, so that focus and what people typed stay.
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  [...fresh.childNodes].forEach((node, at) => {
    const was = before[at];
    if (!was) old.append(node);
    else if (was.nodeType !== node.nodeType || was.nodeName !== node.nodeName || was.id !== node.id) was.replaceWith(node);
    else if (node.nodeType === Node.ELEMENT_NODE) morph(was, node);
    else if (was.data !== node.data) was.data = node.data;
  });
  before.slice(fresh.childNodes.length).forEach((node) => node.remove());
}

function chosen() {
  return [...document.querySelectorAll(".filter select, .filter input")].map((field) => [field.id, field.value]);
}

function replace(name, html) {
  const old = document.getElementById(name);
  const fresh = old.cloneNode(false);
  fresh.append(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  const fields = chosen();
  morph(old, fresh);
  if (name === "signals") {
    for (const [id, value] of fields) {
      const field = document.getElementById(id);
      if (field && field.value !== value) field.value = value;
    }
    filter();
  }
}

function filter() {
  const form = document.querySelector("[data-filter]");
  if (!form) return;
  form.querySelector("button").hidden = true;
  const [text, wanted, arm, segment] = ["text", "level", "arm", "segment"].map((name) => form.elements[name].value);
  const rows = [...document.querySelectorAll("#signals tbody tr")];
  for (const row of rows) {
    const { arm: a, segment: s, level: l, name } = row.dataset;
    const shows = (choice, own) => (choice === "brief" ? own === "" || OUT.has(l) : choice === "any" || choice === own);
    row.hidden = !(shows(arm, a) && shows(segment, s)
      && (wanted === "any" || wanted === l) && name.includes(text.toLowerCase()));
  }
  write(form.querySelector("[data-found]"), `${rows.filter((row) => !row.hidden).length} of ${rows.length}`);
}

function tick() {
  const now = (Date.now() + skew) / 1000;
  for (const time of document.querySelectorAll("time[data-at]")) write(time, ago(now - Number(time.dataset.at)));
  const lost = Date.now() - heard > SILENT_MS || source === null || source.readyState !== EventSource.OPEN;
  const { at } = verdict();
  if (link.dataset.state !== "static" || lost) link.dataset.state = lost ? "lost" : "live";
  write(linkText, lost ? `no data since ${moment(heard + skew).slice(11)}` : "live");
  const late = !lost && at && now - at > LATE_S && !document.querySelector("#head .banner");
  silent.hidden = !(lost || late);
  write(silent, lost ? `No data since ${moment(heard + skew)}. Figures below are from before; the page tries again by itself.`
    : late ? `No data since ${moment(at * 1000)}: nothing new was measured.` : "");
}

function tell() {
  const now = verdict();
  if (now.level !== level) {
    said.textContent = `Now ${now.level}. ${now.text}`;
    level = now.level;
  }
  document.title = `${now.text.replace(" ", ": ").replace("::", ":")} · Loop`;
}

function take(event) {
  const { build, parts, now } = JSON.parse(event.data);
  if (build !== document.documentElement.dataset.build) {
    location.reload();
    return;
  }
  heard = Date.now();
  skew = now * 1000 - heard;
  for (const [name, html] of Object.entries(parts)) replace(name, html);
  link.dataset.state = "live";
  if (parts.head) tell();
  tick();
}

function connect() {
  source = new EventSource("/events");
  source.addEventListener("page", take);
  source.addEventListener("beat", (event) => {
    heard = Date.now();
    skew = JSON.parse(event.data).now * 1000 - heard;
  });
  source.addEventListener("error", () => {
    const mine = source;
    mine.close(); // a browser gives up on some errors; we never do
    tick();
    setTimeout(() => { if (source === mine) connect(); }, RETRY_MS);
  });
}

document.addEventListener("input", (event) => { if (event.target.closest("[data-filter]")) filter(); });
document.addEventListener("submit", (event) => { if (event.target.matches("[data-filter]")) { event.preventDefault(); filter(); } });
filter();
connect();
setInterval(tick, 1000);
