// The ledger: the bot's own rows, read from its file as they stand.

import { api } from "../api.js";
import { fill, h } from "../dom.js";

const FIRST = ["id", "state", "created_at", "prompt", "price", "task_id", "submitted_at", "ended_at", "how", "problem", "cost"];
const STEADY = ["delivered", "failed", "cancelled", "unconfirmed"];

export function ledgerPanel(store) {
  let timer = 0;
  let last = "";
  const wrap = h("div", { class: "table-wrap", role: "region", "aria-label": "The ledger's rows", tabindex: 0 });
  const element = h("div", {}, wrap);

  const draw = async () => {
    try {
      const told = await api.get("/backstage/ledger");
      const text = JSON.stringify(told);
      if (text === last) return;
      last = text;
      fill(wrap, told.rows.length ? table(told) : h("p", { class: "panel-empty" }, "No job yet: every /animate becomes a row here."));
    } catch (refused) {
      last = "";
      fill(wrap, h("p", { class: "panel-empty" }, store.supervised ? refused.message : "No bot runs here, so there is no ledger to read."));
    }
  };
  const visible = (on) => {
    clearInterval(timer);
    if (!on) return;
    draw();
    timer = setInterval(draw, 700);
  };
  return { element, visible };
}

function table({ columns, rows }) {
  const order = [...FIRST.filter((name) => columns.includes(name)), ...columns.filter((name) => !FIRST.includes(name))];
  const at = order.map((name) => columns.indexOf(name));
  return h("table", {}, h("thead", {}, h("tr", {}, order.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows.map((row) => h("tr", {}, at.map((index, n) => h("td", {}, cell(order[n], row[index])))))));
}

function cell(name, value) {
  if (value === null || value === "") return h("span", { class: "none" }, "–");
  if (name === "state") return h("span", { class: `state state-${STEADY.includes(value) ? value : "moving"}` }, value);
  if (name === "price") return `$${(value / 10_000).toFixed(2)}`;
  if (name.endsWith("_at")) return new Date(value * 1000).toLocaleTimeString("en-GB");
  const text = String(value);
  return text.length > 60 ? h("span", { title: text }, `${text.slice(0, 59)}…`) : text;
}
