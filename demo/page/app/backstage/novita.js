// Novita's side: how long a render takes, the queue, and what was paid.

import { api } from "../api.js";
import { fill, h, soon } from "../dom.js";
import { toast } from "../overlays.js";

// Positions of the slider, in seconds.
const SPEEDS = [1, 2, 3, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300];
const STATUS = { TASK_STATUS_QUEUED: "queued", TASK_STATUS_PROCESSING: "rendering", TASK_STATUS_SUCCEED: "rendered", TASK_STATUS_FAILED: "failed" };

export function novitaPanel(store) {
  let settings = null;
  let timer = 0;
  const words = h("output", { class: "speed-words", for: "speed" });
  const slider = h("input", { type: "range", id: "speed", min: 0, max: SPEEDS.length - 1, step: 1, oninput: () => say(SPEEDS[slider.value]), onchange: () => change({ render_seconds: SPEEDS[slider.value] }) });
  const finish = h("button", { type: "button", class: "small-button", onclick: () => forward() }, "Finish renders now");
  const slots = h("select", { id: "slots", onchange: () => change({ concurrency: slots.value === "all" ? null : Number(slots.value) }) }, ["all", 1, 2, 3].map((n) => h("option", { value: n }, n === "all" ? "no limit" : String(n))));
  const paid = h("span", { class: "panel-note" });
  const table = h("div", { class: "table-wrap", role: "region", "aria-label": "Novita's tasks", tabindex: 0 });
  const element = h(
    "div",
    {},
    h("div", { class: "panel-bar" }, h("label", { for: "speed" }, "A render takes"), slider, words, finish, h("label", { for: "slots" }, "At once"), slots, paid),
    table,
  );

  const say = (seconds) => (words.textContent = seconds < 60 ? `${seconds} s` : `${+(seconds / 60).toFixed(1)} min`);
  const change = async (changes) => {
    try {
      settings = await api.patch("/novita/settings", changes);
      say(settings.render_seconds);
    } catch (refused) {
      toast(refused.message, "bad");
    }
  };
  const forward = async () => {
    const seconds = (settings?.queue_seconds ?? 0) + (settings?.render_seconds ?? 0);
    await api.post("/novita/clock", { forward: seconds }).catch((refused) => toast(refused.message, "bad"));
  };

  const draw = async () => {
    try {
      settings = await api.get("/novita/settings");
      const [{ tasks }, { payments }, { now }] = await Promise.all([api.get("/novita/tasks"), api.get("/novita/payments"), api.get("/novita/clock")]);
      if (document.activeElement !== slider) {
        const nearest = SPEEDS.findIndex((s) => s >= settings.render_seconds);
        slider.value = nearest < 0 ? SPEEDS.length - 1 : nearest;
        say(settings.render_seconds);
      }
      slots.value = settings.concurrency ?? "all";
      const total = payments.reduce((sum, p) => sum + p.price, 0);
      paid.textContent = `${payments.length} paid, $${(total / 10_000).toFixed(2)} of play money`;
      fill(table, tasks.length ? tableOf([...tasks].reverse(), settings, now) : h("p", { class: "panel-empty" }, "Nothing was ordered yet."));
    } catch (refused) {
      fill(table, h("p", { class: "panel-empty" }, refused.message));
    }
  };
  const visible = (on) => {
    clearInterval(timer);
    if (!on) return;
    draw();
    timer = setInterval(draw, 1000);
  };
  store.on("novita_task reset", soon(() => timer && draw()));
  return { element, visible };
}

function tableOf(tasks, settings, now) {
  const head = ["Task", "Status", "Progress", "Model", "Prompt", "Length", "Price", "Polls", "Video"];
  return h("table", {}, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, tasks.map((task) => row(task, settings, now))));
}

function row(task, settings, now) {
  const status = STATUS[task.status] ?? task.status;
  const elapsed = task.started_at ? (now - task.started_at) / Math.max(0.001, settings.render_seconds) : 0;
  const done = { queued: 0, rendered: 100, failed: 100 }[status] ?? Math.min(99, Math.round(elapsed * 100));
  const video = task.video ? h("a", { href: `/novita/tasks/${task.id}/video`, target: "_blank", rel: "noopener" }, `${(task.video.bytes / 1e6).toFixed(1)} MB`) : "–";
  const cells = [
    h("code", { title: task.id }, task.id.slice(0, 8)),
    h("span", { class: `state state-${status}` }, status, task.reason && `: ${task.reason}`),
    h("progress", { max: 100, value: done, "aria-label": `${done} %` }),
    task.model,
    task.prompt.slice(0, 80),
    `${task.seconds} s`,
    `$${(task.price / 10_000).toFixed(2)}`,
    task.polls,
    video,
  ];
  return h("tr", {}, cells.map((cell) => h("td", {}, typeof cell === "number" ? String(cell) : cell)));
}
