// The page: puts the views together and goes from place to place.

import { api } from "./api.js";
import { backstage } from "./backstage/drawer.js";
import { channelList, serverRail } from "./channels.js";
import { Column } from "./column.js";
import { h } from "./dom.js";
import { forumView } from "./forum.js";
import { icon } from "./icons.js";
import { follow } from "./live.js";
import { modals } from "./modals.js";
import { toast } from "./overlays.js";
import { memberList, userPanel } from "./people.js";
import { CATEGORY, DM, FORUM, Store, THREADS } from "./store.js";
import { setLocale, startCounting } from "./time.js";
import { themeButton } from "./theme.js";

const $ = (id) => document.getElementById(id);
const store = new Store();
const SHOWN_THREADS = 20; // whose last words show under their first

// --- going from place to place --------------------------------------------------------------------------------

const go = {
  async channel(id) {
    const channel = store.channel(id);
    if (!channel || channel.type === CATEGORY) return;
    if (THREADS.includes(channel.type)) return void (await go.thread(id));
    store.channelId = id;
    store.threadId = null;
    await arrive();
    settle(main);
  },

  async thread(id) {
    const thread = store.channel(id);
    if (!thread) return;
    store.threadId = id;
    store.channelId = thread.parent_id;
    await arrive();
    settle(side);
  },

  async closeThread() {
    store.threadId = null;
    await arrive();
    settle(main);
  },

  server: () => go.channel(firstChannel()?.id),

  async directMessages() {
    if (!store.dm) {
      await api.post(`/discord/people/${store.me.name}/dm`);
      await store.loadPlaces();
    }
    await go.channel(store.dm.id);
  },

  async person(name) {
    const [channelId, threadId] = [store.channelId, store.threadId];
    store.me = store.people.find((p) => p.name === name);
    for (const forgotten of [store.messages, store.pending, store.clicks, store.unread, store.newSince, store.typing]) forgotten.clear();
    await begin(channelId, threadId);
  },
};

function firstChannel() {
  const text = [...store.channels.values()].filter((c) => c.type === 0);
  return text.find((c) => c.name === "stills") ?? text[0] ?? null;
}

async function arrive() {
  closeDrawers();
  const forum = store.channel()?.type === FORUM;
  const wanted = [!forum && store.channelId, store.threadId].filter((id) => id && !store.messages.has(id));
  try {
    await Promise.all(wanted.map((id) => store.loadMessages(id)));
    const threads = store.threadsOf(store.channelId).slice(-SHOWN_THREADS);
    await Promise.all(threads.filter((t) => !store.messages.has(t.id)).map((t) => store.loadMessages(t.id)));
  } catch (refused) {
    toast(refused.message, "bad");
  }
  main.body.hidden = forum;
  if (main.channelId !== store.channelId || forum) main.show(store.channelId);
  $("thread").hidden = !store.threadId;
  if (store.threadId) {
    if (side.channelId !== store.threadId) side.show(store.threadId);
  } else side.channelId = null;
  $("page").classList.toggle("with-thread", Boolean(store.threadId));
  $("page").classList.toggle("in-dm", store.channel()?.type === DM);
  history.replaceState(null, "", `#${[store.me.name, store.channelId, store.threadId].filter(Boolean).join("/")}`);
  for (const id of store.newSince.keys()) if (!store.unread.has(id) && ![store.channelId, store.threadId].includes(id)) store.newSince.delete(id);
  for (const id of [store.channelId, store.threadId]) store.markRead(id);
  title();
  store.emit("route");
}

/** Let typing begin at once; not where that would bring up a keyboard on the screen. */
function settle(column) {
  if (!matchMedia("(pointer: coarse)").matches) column.composer.focus();
}

/** Give what is typed while nothing takes it to a composer, as Discord does. */
function typedAnywhere(event) {
  const at = document.activeElement;
  if (event.key.length > 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
  if (at !== document.body && !at?.matches(".messages, .message, .channel")) return;
  (store.threadId && !$("chat").contains(at) ? side : main).composer.focus();
}

function title() {
  const pings = [...store.unread.values()].reduce((sum, count) => sum + count, 0);
  document.title = `${pings ? `(${pings}) ` : ""}${store.channel(store.threadId)?.name ?? store.channel()?.name ?? ""} · Kinora demo`;
}

// --- beginning ------------------------------------------------------------------------------------------------

/** Load everything for this person and go where they were, or to the first channel. */
async function begin(channelId, threadId) {
  store.messages.clear();
  await store.load();
  setLocale(store.me.locale);
  store.emit("session");
  main.channelId = null;
  side.channelId = null;
  const thread = store.channel(threadId);
  const channel = store.channel(channelId) ?? [...store.channels.values()].find((c) => c.name === channelId && c.type !== CATEGORY);
  store.threadId = thread ? thread.id : null;
  store.channelId = thread?.parent_id ?? channel?.id ?? (channelId === "dm" ? store.dm?.id : null) ?? firstChannel()?.id;
  await arrive();
}

async function restart() {
  try {
    await begin(store.channelId, store.threadId);
  } catch (refused) {
    toast(refused.message, "bad");
  }
}

// --- the parts ------------------------------------------------------------------------------------------------

function drawerButton(side, label, name) {
  const toggle = () => {
    const open = $("page").classList.toggle(`show-${side}`);
    if (open) $(side).querySelector("button, a")?.focus();
  };
  return h("button", { type: "button", class: `icon-button drawer-${side}`, "aria-label": label, title: label, onclick: toggle }, icon(name, 22));
}

function closeDrawers() {
  $("page").classList.remove("show-left");
  if (innerWidth < 1000) $("page").classList.remove("show-members");
}

if (innerWidth >= 1000) $("page").classList.add("show-members");

const behind = backstage($("backstage"), store, $("page"));
const main = new Column(store, go, {
  heading: "h2",
  leadButtons: [drawerButton("left", "Show channels", "menu")],
  headButtons: [behind.button, drawerButton("members", "Show or hide members", "people")],
});
const side = new Column(store, go, {
  heading: "h2",
  headButtons: [h("button", { type: "button", class: "icon-button", "aria-label": "Close thread", title: "Close thread", onclick: () => go.closeThread() }, icon("close", 22))],
});
const forum = h("div", { class: "forum", hidden: true });
main.mount($("chat")).append(forum);
side.mount($("thread"));
serverRail($("servers"), store, go);
channelList($("channels"), store, go);
userPanel($("me"), store, go, { theme: themeButton() });
memberList($("members"), store, main.act);
forumView(forum, store, go);
modals(store, main.list.names);
startCounting();

store.on("unread", title);
store.on("reset", restart);
store.on("connection", (connected) => {
  $("offline").hidden = connected;
  if (connected && store.guild) restart(); // what happened meanwhile was not told
});
store.on("places", () => {
  if (store.me && store.channelId && !store.channel()) go.server();
  else if (store.threadId && !store.channel(store.threadId)) go.closeThread();
});
document.addEventListener("visibilitychange", () => {
  for (const id of [store.channelId, store.threadId]) if (store.isLookedAt(id)) store.markRead(id);
});
document.addEventListener("keydown", typedAnywhere);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.defaultPrevented) closeDrawers();
});
$("page").addEventListener("click", (event) => event.target === $("page") && closeDrawers()); // beside a drawer
// A file dropped beside its place must not replace the page.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());

const [who, where, thread] = decodeURIComponent(location.hash.slice(1)).split("/");
store.me = { name: who };
store.supervised = await behind.start();
await follow(store, () => begin(where, thread));
$("page").setAttribute("aria-busy", "false");
settle(main);
