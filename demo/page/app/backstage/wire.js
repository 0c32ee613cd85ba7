// The wire: every request with its answer and every gateway event, as it crosses between bot, Discord and Novita.

import { api } from "../api.js";
import { fill, h } from "../dom.js";

const KEPT = 400;
const SIDES = { discord: "Discord", gateway: "Gateway", novita: "Novita", cdn: "CDN" };
const OPS = { 2: "IDENTIFY", 6: "RESUME", 7: "RECONNECT", 9: "INVALID SESSION", 10: "HELLO" };
const NOISE = /^(op (1|11)|HEARTBEAT|HEARTBEAT_ACK)$/;

export function wirePanel(store) {
  const shown = new Set(Object.keys(SIDES));
  let words = "";
  let paused = false;
  let checked = false;
  const rows = h("ol", { class: "wire-rows" });
  const filters = Object.entries(SIDES).map(([side, name]) => {
    const box = h("input", { type: "checkbox", checked: true, onchange: () => refilter(side, box.checked) });
    return h("label", { class: "chip" }, box, name);
  });
  const search = h("input", { type: "search", class: "filter", placeholder: "Filter", "aria-label": "Filter the wire", oninput: () => { words = search.value.toLowerCase(); sift(); } });
  const pause = h("button", { type: "button", class: "small-button", "aria-pressed": "false", onclick: () => { paused = !paused; pause.setAttribute("aria-pressed", String(paused)); } }, "Pause");
  const clear = h("button", { type: "button", class: "small-button", onclick: () => fill(rows) }, "Clear");
  const note = h("span", { class: "panel-note" });
  const element = h("div", { class: "wire" }, h("div", { class: "panel-bar" }, filters, search, pause, clear, note), rows);

  const fits = (row) => shown.has(row.dataset.side) && (!words || row.dataset.words.includes(words));
  const sift = () => {
    for (const row of rows.children) row.hidden = !fits(row);
  };
  const refilter = (side, on) => {
    if (on) shown.add(side);
    else shown.delete(side);
    sift();
  };
  const add = (exchange) => {
    if (paused || NOISE.test(exchange.path) || isOurs(exchange)) return;
    const atEnd = rows.scrollHeight - rows.scrollTop - rows.clientHeight < 40;
    const row = rowOf(exchange, checked);
    row.hidden = !fits(row);
    rows.append(row);
    while (rows.children.length > KEPT) rows.firstChild.remove();
    if (atEnd) rows.scrollTop = rows.scrollHeight;
  };
  store.on("exchange", add);
  store.on("session", async () => {
    if (rows.children.length) return;
    checked = (await api.get("/")).wire_is_checked;
    note.textContent = checked ? "Held against Discord's OpenAPI document." : "Not checked: KINORA_OPENAPI names no OpenAPI document of Discord's.";
    const { exchanges } = await api.get("/wire");
    exchanges.slice(-KEPT).forEach(add);
  });
  return { element, visible: (on) => on && (rows.scrollTop = rows.scrollHeight) };
}

/** What this page itself loads from the CDN is no business of the bot's. */
function isOurs(exchange) {
  return Object.keys(exchange.request_headers).some((name) => name.toLowerCase() === "sec-fetch-mode");
}

function rowOf(exchange, checked) {
  const gateway = exchange.side === "gateway";
  const toBot = exchange.method === "to_bot";
  const bad = exchange.problems.length > 0;
  const status = gateway ? (toBot ? "→ bot" : "← bot") : (exchange.status ?? "cut");
  const verdict = bad ? "✗ invalid" : checked && ["discord"].includes(exchange.side) ? "✓ valid" : "";
  const path = tidy(exchange.path);
  const line = [
    h("time", {}, new Date(exchange.at * 1000).toLocaleTimeString("en-GB")),
    h("span", { class: `side side-${exchange.side}` }, SIDES[exchange.side] ?? exchange.side),
    h("span", { class: "method" }, gateway ? "event" : exchange.method),
    h("span", { class: "path" }, path),
    exchange.fault && h("span", { class: "fault-mark" }, `fault: ${exchange.fault}`),
    h("span", { class: `status ${statusKind(exchange)}` }, String(status)),
    h("span", { class: bad ? "verdict bad" : "verdict" }, verdict),
  ];
  const details = h("details", {}, h("summary", {}, line));
  details.addEventListener("toggle", () => {
    if (!details.open) return;
    if (details.children.length === 1) details.append(bodies(exchange));
    details.scrollIntoView({ block: "nearest" });
  });
  return h("li", { dataset: { side: exchange.side, words: `${exchange.method} ${path} ${status} ${exchange.fault ?? ""}`.toLowerCase() } }, details);
}

function statusKind({ side, status }) {
  if (side === "gateway") return "";
  if (status === null) return "bad";
  return status >= 400 ? "bad" : "good";
}

/** Leave out what every path has, and shorten tokens. */
function tidy(path) {
  if (path.startsWith("op ")) return OPS[path.slice(3)] ?? path;
  return path.replace(/^\/api\/v\d+/, "").replace(/[\w-]{60,}/g, (token) => `${token.slice(0, 8)}…`);
}

function bodies(exchange) {
  const parts = [
    exchange.problems.length && ["Problems", exchange.problems.join("\n")],
    exchange.side !== "gateway" && ["Request", withHeaders(exchange.request_headers, exchange.request_body)],
    exchange.side === "gateway" && exchange.request_body && ["From the bot", pretty(exchange.request_body)],
    exchange.side !== "gateway" && ["Answer", withHeaders(exchange.response_headers, exchange.response_body)],
    exchange.side === "gateway" && exchange.response_body && ["To the bot", pretty(exchange.response_body)],
  ];
  return h("div", { class: "bodies" }, parts.filter(Boolean).map(([name, text]) => h("section", {}, h("h4", {}, name), h("pre", { tabindex: 0 }, text))));
}

function withHeaders(headers, body) {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [lines.join("\n"), body === null ? "" : pretty(body)].filter(Boolean).join("\n\n");
}

const pretty = (body) => (typeof body === "string" ? body : JSON.stringify(body, null, 2));
