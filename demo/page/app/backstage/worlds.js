// Worlds: what the real services may turn out to be, each with a switch, and the two clocks.

import { api } from "../api.js";
import { freshId, h, soon } from "../dom.js";
import { toast } from "../overlays.js";
import { CLOCKS, GROUPS, look, STEPS } from "./worldtable.js";

const LOOK_MS = 2000;

export function worldsPanel(store) {
  let seen = null;
  let timer = 0;
  const inForce = h("span", { class: "panel-note", role: "status" });
  const normal = h("button", { type: "button", class: "small-button", disabled: true, onclick: () => backToNormal() }, "Back to normal");
  const rows = GROUPS.flatMap(({ worlds }) => worlds).map((world) => worldRow(world, (on) => attempt(() => (on ? world.set(seen) : world.unset(seen)))));
  const groups = GROUPS.map(({ name, worlds }) => h("section", { class: "world-group", "aria-label": name }, h("h4", {}, name), h("ul", {}, rows.filter(({ world }) => worlds.includes(world)).map(({ element }) => element))));
  const clocks = CLOCKS.map((clock) => clockRow(clock, (seconds) => attempt(() => api.post(`/${clock.side}/clock`, { forward: seconds }))));
  const time = h("section", { class: "world-group", "aria-label": "Clocks" }, h("h4", {}, "Clocks"), h("ul", {}, clocks.map(({ element }) => element)), h("p", { class: "panel-note" }, "A clock does not go back, but when all is started afresh (under Faults)."));

  const attempt = async (work) => {
    try {
      seen = await look(store.me.name);
      await work();
    } catch (refused) {
      toast(refused.message, "bad");
    }
    await draw();
    store.loadGuild().catch(() => {});
  };
  const backToNormal = () =>
    attempt(async () => {
      for (const { world } of rows) {
        if (!world.tell(seen)) continue;
        await world.unset(seen);
        seen = await look(store.me.name); // two worlds may be one list
      }
    });

  const draw = async () => {
    if (!store.me) return;
    try {
      seen = await look(store.me.name);
    } catch (refused) {
      inForce.textContent = refused.message;
      return;
    }
    for (const row of rows) row.show(row.world.tell(seen));
    for (const clock of clocks) clock.show(seen.ahead[clock.side]);
    const count = rows.filter(({ world }) => world.tell(seen)).length;
    const words = count ? `${count} of them ${count === 1 ? "is" : "are"} in force.` : "All is as usual.";
    if (inForce.textContent !== words) inForce.textContent = words;
    normal.disabled = !count;
  };
  const visible = (on) => {
    clearInterval(timer);
    timer = 0;
    if (!on) return;
    draw();
    timer = setInterval(draw, LOOK_MS);
  };
  store.on("session reset fault", soon(() => timer && draw()));
  const element = h("div", {}, h("div", { class: "panel-bar" }, h("span", {}, "What the real services may turn out to be. "), inForce, normal), h("div", { class: "worlds" }, groups, time));
  return { element, visible };
}

/** A world's row; `show` takes whether it is in force, and hides it where there is no such thing. */
function worldRow(world, change) {
  const [name, about] = [freshId("world"), freshId("world")];
  const state = h("span", { class: "world-state" });
  const toggle = h("button", { type: "button", class: "switch", role: "switch", "aria-checked": "false", "aria-labelledby": name, "aria-describedby": about, onclick: () => change(toggle.getAttribute("aria-checked") !== "true") }, h("i"));
  const element = h("li", { class: "world", hidden: true }, h("div", { class: "world-words" }, h("strong", { id: name }, world.name), h("span", { id: about }, world.sentence)), state, toggle);
  const show = (on) => {
    element.hidden = on === undefined;
    toggle.setAttribute("aria-checked", String(Boolean(on)));
    state.textContent = on ? "in force" : "normal";
    element.classList.toggle("on", Boolean(on));
  };
  return { world, element, show };
}

/** A clock's row; `show` takes how many seconds it is ahead of the real one. */
function clockRow({ name, side, about }, forward) {
  const state = h("span", { class: "world-state" });
  const steps = STEPS.map(([label, seconds]) => h("button", { type: "button", class: "small-button", "aria-label": `${name}: ${label}`, onclick: () => forward(seconds) }, label));
  const element = h("li", { class: "world world-clock" }, h("div", { class: "world-words" }, h("strong", {}, name), h("span", {}, about)), state, h("div", { class: "world-steps" }, steps));
  const show = (seconds) => {
    const words = ahead(seconds);
    state.textContent = words ? `${words} ahead` : "normal";
    element.classList.toggle("on", Boolean(words));
  };
  return { side, element, show };
}

/** Say how far ahead a clock is, to the minute: "1 d 2 h 15 min"; nothing when it is not. */
function ahead(seconds) {
  const minutes = Math.round(seconds / 60);
  const parts = [
    [Math.floor(minutes / 1440), "d"],
    [Math.floor(minutes / 60) % 24, "h"],
    [minutes % 60, "min"],
  ];
  return parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}
