// Backstage: the developer's half of the page, in a drawer below.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { botPanel } from "./bot.js";
import { faultsPanel } from "./faults.js";
import { jobsPanel } from "./jobs.js";
import { novitaPanel } from "./novita.js";
import { wirePanel } from "./wire.js";
import { worldsPanel } from "./worlds.js";

/** Build the drawer; gives the button that opens it and `start`, which tells whether this sandbox runs the bot. */
export function backstage(element, store, page) {
  const panels = [
    ["Wire", wirePanel(store)],
    ["Novita", novitaPanel(store)],
    ["Faults", faultsPanel(store)],
    ["Worlds", worldsPanel(store)],
    ["Bot", botPanel(store)],
    ["Jobs", jobsPanel(store)],
  ];
  let open = 0;

  const tabs = panels.map(([name], n) =>
    h("button", { type: "button", role: "tab", id: `tab-${n}`, "aria-controls": `panel-${n}`, class: "tab", onclick: () => choose(n), onkeydown: (event) => arrows(event, n) }, name),
  );
  const bodies = panels.map(([, panel], n) => h("div", { role: "tabpanel", id: `panel-${n}`, "aria-labelledby": `tab-${n}`, class: "panel", tabindex: 0, hidden: true }, panel.element));

  const choose = (n) => {
    open = n;
    tabs.forEach((tab, k) => {
      tab.setAttribute("aria-selected", String(k === n));
      tab.tabIndex = k === n ? 0 : -1;
      bodies[k].hidden = k !== n;
    });
    panels.forEach(([, panel], k) => panel.visible?.(k === n && !element.hidden));
  };
  const arrows = (event, n) => {
    const to = { ArrowRight: n + 1, ArrowLeft: n - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose((to + tabs.length) % tabs.length);
    tabs[open].focus();
  };
  const toggle = () => {
    element.hidden = !element.hidden;
    page.classList.toggle("with-backstage", !element.hidden);
    button.setAttribute("aria-expanded", String(!element.hidden));
    choose(open);
    if (element.hidden) button.focus();
    else tabs[open].focus();
  };
  const words = h("span", {}, "Backstage");
  const button = h("button", { type: "button", class: "backstage-button", "aria-label": "Backstage", "aria-expanded": "false", "aria-controls": element.id, onclick: toggle }, icon("tools", 18), words);
  const close = h("button", { type: "button", class: "icon-button", "aria-label": "Close backstage", onclick: toggle }, icon("close", 20));
  fill(element, h("header", { class: "backstage-head" }, h("div", { role: "tablist", "aria-label": "Backstage" }, tabs), h("div", { class: "backstage-state" }, stateLight(store)), close), bodies);
  choose(0);

  const start = async () => {
    const { endpoints } = await api.get("/");
    if (!endpoints.includes("GET /backstage")) return false; // `python -m sandbox` has no bot to look after
    const told = await api.get("/backstage");
    store.emit("bot", told);
    store.emit("bot_history", told.log);
    return true;
  };
  return { button, start };
}

/** A light that says whether the bot is there. */
function stateLight(store) {
  const words = h("span", {}, "");
  const light = h("span", { class: "state-light" }, h("i"), words);
  const show = () => {
    light.classList.toggle("on", store.botOnline);
    words.textContent = store.botOnline ? "Kinora is online" : "Kinora is offline";
  };
  store.on("guild", show);
  return light;
}
