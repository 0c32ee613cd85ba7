// One-click trouble: what networks, providers and moderators do to a bot.

import { api } from "../api.js";
import { fill, h, soon } from "../dom.js";
import { icon } from "../icons.js";
import { toast } from "../overlays.js";
import { DM } from "../store.js";

const SUBMIT = { side: "novita", method: "POST", path: "/v3/async/" };
const POLL = { side: "novita", method: "GET", path: "task-result" };
const FILM = { side: "novita", method: "GET", path: "/files/" };
const POST = { side: "discord", method: "POST", path: "/channels/\\d+/messages$" };

// What each button arranges; every fault hits once and is then over.
const GROUPS = [
  [
    "Novita, the paid order",
    [
      ["Drop the connection", { ...SUBMIT, kind: "drop_before" }],
      ["Answer 429", { ...SUBMIT, kind: "rate_limit", retry_after: 3 }],
      ["Answer 500", { ...SUBMIT, kind: "error", status: 500 }],
      ["Lose the answer", { ...SUBMIT, kind: "drop_after" }],
    ],
  ],
  [
    "Novita, afterwards",
    [
      ["Poll: drop", { ...POLL, kind: "drop_before" }],
      ["Poll: 500, three times", { ...POLL, kind: "error", status: 500, times: 3 }],
      ["Video: cut in half", { ...FILM, kind: "truncate" }],
      ["Video: 404", { ...FILM, kind: "error", status: 404 }],
    ],
  ],
  [
    "Discord, the next message",
    [
      ["Drop the connection", { ...POST, kind: "drop_before" }],
      ["Answer 429", { ...POST, kind: "rate_limit", retry_after: 3 }],
      ["Answer 500", { ...POST, kind: "error", status: 500 }],
      ["Lose the answer", { ...POST, kind: "drop_after" }],
      ["Reset the upload", { ...POST, kind: "reset_upload" }],
    ],
  ],
];

const PERMISSIONS = [
  ["VIEW_CHANNEL", "View Channel"],
  ["SEND_MESSAGES", "Send Messages"],
  ["SEND_MESSAGES_IN_THREADS", "Send Messages in Threads"],
  ["CREATE_PUBLIC_THREADS", "Create Public Threads"],
  ["ATTACH_FILES", "Attach Files"],
  ["EMBED_LINKS", "Embed Links"],
  ["READ_MESSAGE_HISTORY", "Read Message History"],
];

export function faultsPanel(store) {
  const now = h("div", { class: "fault-list" });
  const place = h("section", { class: "fault-group" });
  const server = h("section", { class: "fault-group" });

  const attempt = async (work, words) => {
    try {
      await work();
      if (words) toast(words);
    } catch (refused) {
      toast(refused.message, "bad");
    }
    await draw();
  };
  const button = (label, work, words) => h("button", { type: "button", class: "small-button", onclick: () => attempt(work, words) }, label);

  const groups = GROUPS.map(([name, faults]) => h("section", { class: "fault-group" }, h("h4", {}, name), h("div", {}, faults.map(([label, fault]) => button(label, () => api.post("/faults", fault))))));
  const gateway = h(
    "section",
    { class: "fault-group" },
    h("h4", {}, "Discord, the gateway"),
    h(
      "div",
      {},
      button("Cut the connection", () => api.post("/discord/gateway/close", { code: 0 }), "The gateway was cut."),
      button("Ask to reconnect", () => api.post("/discord/gateway/reconnect"), "The bot was asked to reconnect."),
      button("Invalidate the session", () => api.post("/discord/gateway/invalidate", { resumable: false }), "The session is invalid."),
      button("Refuse for 20 s", () => api.post("/discord/gateway/refuse", { seconds: 20 }), "No gateway for 20 s."),
    ),
  );

  const drawPlace = () => {
    const channel = store.channel();
    if (!channel || !store.guild) return;
    const thread = store.channel(store.threadId);
    const role = store.guild.roles.find((r) => r.tags?.bot_id === store.bot.id);
    fill(place, h("h4", {}, channel.type === DM ? "This place" : `#${channel.name}: what Kinora may do`), channel.type === DM ? directMessages() : permissions(channel, role), thread && threadButtons(thread));
  };
  const directMessages = () => {
    const takes = store.me.accepts_dms;
    return h("div", {}, button(takes ? "Close my direct messages" : "Open my direct messages", async () => Object.assign(store.me, await api.patch(`/discord/people/${store.me.name}`, { accepts_dms: !takes }))));
  };
  const permissions = (channel, role) =>
    h(
      "div",
      { class: "permissions" },
      PERMISSIONS.map(([name, label]) => {
        const has = channel.bot_permissions.includes(name);
        const box = h("input", { type: "checkbox", checked: has, onchange: () => attempt(() => setPermission(channel, role, name, box.checked)) });
        return h("label", { class: "chip" }, box, label);
      }),
    );
  const setPermission = async (channel, role, name, on) => {
    const overwrite = channel.permission_overwrites.find((o) => o.id === role.id);
    const known = PERMISSIONS.map(([n]) => n);
    const bits = { VIEW_CHANNEL: 10n, SEND_MESSAGES: 11n, EMBED_LINKS: 14n, ATTACH_FILES: 15n, READ_MESSAGE_HISTORY: 16n, CREATE_PUBLIC_THREADS: 35n, SEND_MESSAGES_IN_THREADS: 38n };
    const listed = (value) => known.filter((n) => n !== name && BigInt(value ?? 0) & (1n << bits[n]));
    const [allow, deny] = [listed(overwrite?.allow), listed(overwrite?.deny)];
    (on ? allow : deny).push(name);
    await api.put(`/discord/channels/${channel.id}/overwrites/${role.id}`, { allow, deny });
    await store.loadPlaces();
  };
  const threadButtons = (thread) => {
    const { locked, archived } = thread.thread_metadata;
    const change = (changes) => async () => {
      await api.patch(`/discord/channels/${thread.id}`, changes);
      await store.loadPlaces();
    };
    return h("div", {}, h("span", { class: "panel-note" }, `Thread “${thread.name.slice(0, 30)}”: `), button(locked ? "Unlock" : "Lock", change({ locked: !locked })), button(archived ? "Bring back" : "Archive", change({ archived: !archived })), button("Delete", () => api.delete(`/discord/channels/${thread.id}`)));
  };

  const drawServer = () => {
    if (!store.guild) return;
    const tier = store.guild.premium_tier;
    const boost = (to) => async () => {
      await api.patch("/discord/guild", { premium_tier: to });
      await store.loadGuild();
    };
    const less = button("−", boost(tier - 1));
    const more = button("+", boost(tier + 1));
    less.setAttribute("aria-label", "Lower the boost level");
    more.setAttribute("aria-label", "Raise the boost level");
    less.disabled = tier === 0;
    more.disabled = tier === 3;
    const member = store.guild.bot_is_member;
    fill(
      server,
      h("h4", {}, "The server"),
      h("div", {}, h("span", {}, `Boost level ${tier} (files up to ${Math.round(store.guild.upload_limit / 2 ** 20)} MB)`), less, more),
      h("div", {}, button(member ? "Remove Kinora from the server" : "Put Kinora back", async () => {
        await (member ? api.delete("/discord/guild/bot") : api.post("/discord/guild/bot"));
        await store.loadGuild();
      }), button("Start afresh", () => api.post("/reset"), "A fresh world.")),
    );
  };

  const draw = async () => {
    drawPlace();
    drawServer();
    const { faults } = await api.get("/faults").catch(() => ({ faults: [] }));
    const live = faults.filter((f) => !f.times || f.hits < f.times);
    fill(
      now,
      h("h4", {}, "In force"),
      live.length ? h("ul", {}, live.map((fault) => h("li", {}, describe(fault), h("button", { type: "button", class: "icon-button", "aria-label": `Take away: ${describe(fault)}`, onclick: () => attempt(() => api.delete(`/faults/${fault.id}`)) }, icon("close", 14))))) : h("p", { class: "panel-note" }, "Nothing. A fault waits here until a request meets it."),
    );
  };
  store.on("route places guild", () => {
    drawPlace();
    drawServer();
  });
  store.on("fault reset", soon(draw));
  const element = h("div", { class: "faults" }, now, groups, gateway, place, server);
  return { element, visible: (on) => on && draw() };
}

function describe(fault) {
  const [, faults] = GROUPS.find(([, list]) => list.some(([, f]) => f.kind === fault.kind && f.path === fault.path)) ?? [];
  const label = faults?.find(([, f]) => f.kind === fault.kind && f.path === fault.path)?.[0] ?? fault.kind;
  const left = fault.times ? ` (${fault.times - fault.hits} to go)` : "";
  return `${fault.side}: ${label}${left}`;
}
