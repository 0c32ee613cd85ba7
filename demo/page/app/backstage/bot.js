// The bot's process: kill it, stop it, start it, and read what it prints.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { toast } from "../overlays.js";

const KEPT = 1000;

export function botPanel(store) {
  const state = h("span", { class: "bot-state", role: "status" }, "No bot runs here: start one yourself, with the addresses on the terminal.");
  const lines = h("ol", { class: "log", tabindex: 0, "aria-label": "The bot's log" });
  const act = (action) => async () => {
    for (const button of Object.values(buttons)) button.disabled = true;
    await api.post(`/backstage/bot/${action}`).then((bot) => show({ bot }), (refused) => toast(refused.message, "bad"));
  };
  const make = (action, label, kind) => h("button", { type: "button", class: `button ${kind}`, disabled: true, onclick: act(action) }, label);
  const buttons = {
    kill: make("kill", "Kill", "button-danger"),
    stop: make("stop", "Stop", "button-secondary"),
    restart: make("restart", "Restart", "button-secondary"),
    start: make("start", "Start", "button-success"),
  };

  let alive = false;
  const show = ({ bot }) => {
    store.supervised = true;
    buttons.kill.disabled = buttons.stop.disabled = buttons.restart.disabled = !bot.running;
    buttons.start.disabled = bot.running;
    const ended = bot.status < 0 ? `Ended by signal ${-bot.status}` : `Ended with status ${bot.status}`;
    state.textContent = bot.online ? `Online, process ${bot.pid}` : bot.running ? `Starting, process ${bot.pid}` : ended;
    if (alive && !bot.running) add(`— ${ended} —`, "ended");
    alive = bot.running;
    state.className = `bot-state ${bot.online ? "good" : bot.running ? "" : "bad"}`;
    // It is gone from Discord a moment after its process is.
    if (store.guild) store.loadGuild().catch(() => {});
  };
  const add = (line, kind = "") => {
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    const level = / (ERROR|CRITICAL|WARNING) /.exec(line)?.[1].toLowerCase() ?? kind;
    lines.append(h("li", { class: level }, line));
    while (lines.children.length > KEPT) lines.firstChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  };
  store.on("bot", show);
  store.on("bot_log", ({ line }) => add(line));
  store.on("bot_history", (log) => {
    fill(lines);
    for (const line of log) add(line);
  });
  const element = h("div", { class: "bot" }, h("div", { class: "panel-bar" }, Object.values(buttons), state), lines);
  return { element, visible: (on) => on && (lines.scrollTop = lines.scrollHeight) };
}
