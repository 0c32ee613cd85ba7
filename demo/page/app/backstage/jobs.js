// The bot's jobs: its own rows, read from its database as they stand.

import { api } from "../api.js";
import { fill, h } from "../dom.js";

export function jobsPanel(store) {
  let timer = 0;
  let last = "";
  const wrap = h("div", { class: "table-wrap", role: "region", "aria-label": "The bot's jobs", tabindex: 0 });
  const element = h("div", {}, wrap);

  const draw = async () => {
    try {
      const told = await api.get("/backstage/jobs");
      const text = JSON.stringify(told);
      if (text === last) return;
      last = text;
      fill(wrap, told.rows.length ? table(told) : h("p", { class: "panel-empty" }, "No job yet: every /animate becomes a row here."));
    } catch (refused) {
      last = "";
      fill(wrap, h("p", { class: "panel-empty" }, store.supervised ? refused.message : "No bot runs here, so there are no jobs to read."));
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

function table({ columns, rows, ended }) {
  return h("table", {}, h("thead", {}, h("tr", {}, columns.map(({ name }) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows.map((row) => h("tr", {}, row.map((value, n) => h("td", {}, cell(columns[n].kind, value, ended)))))));
}

function cell(kind, value, ended) {
  if (value === null || value === "") return h("span", { class: "none" }, "–");
  if (kind === "state") return h("span", { class: `state state-${ended.includes(value) ? value : "moving"}` }, value);
  if (kind === "price") return `$${(value / 10_000).toFixed(2)}`;
  if (kind === "time") return new Date(value * 1000).toLocaleTimeString("en-GB");
  const text = String(value);
  return text.length > 60 ? h("span", { title: text }, `${text.slice(0, 59)}…`) : text;
}
