// The left side: servers, channels with their threads, and who one is.

import { fill, h } from "./dom.js";
import { channelIcon, icon } from "./icons.js";
import { byId, CATEGORY, DM, FORUM, VOICE } from "./store.js";

const byPosition = (a, b) => a.position - b.position || byId(a, b);

/** Show the rail of servers: direct messages above, the server below. */
export function serverRail(element, store, go) {
  const draw = () => {
    if (!store.guild) return;
    const inDm = store.channel()?.type === DM;
    const pings = [...store.unread].reduce((sum, [id, count]) => sum + (store.channel(id)?.type === DM ? 0 : count), 0);
    const dmPings = [...store.unread].reduce((sum, [id, count]) => sum + (store.channel(id)?.type === DM ? Math.max(1, count) : 0), 0);
    const initials = store.guild.name.split(/\s+/).map((word) => word[0]).join("").slice(0, 3);
    fill(
      element,
      pill("Direct Messages", icon("home", 26), inDm, dmPings, () => go.directMessages()),
      h("hr"),
      pill(store.guild.name, initials, !inDm, pings, () => go.server()),
    );
  };
  store.on("guild places route unread", draw);
}

function pill(name, face, current, pings, onclick) {
  const label = pings ? `${name}, ${pings} unread` : name;
  const button = h("button", { type: "button", class: "server", "aria-label": label, title: name, "aria-current": current ? "true" : null, onclick }, face);
  return h("div", { class: "server-slot" }, button, pings > 0 && h("span", { class: "badge", "aria-hidden": "true" }, String(pings)));
}

/** Show the channels. */
export function channelList(element, store, go) {
  const closed = new Set();
  const title = h("h1", { class: "server-name" });
  const boost = h("span", { class: "boost" });
  const tree = h("div", { class: "channel-tree" });
  fill(element, h("header", { class: "column-head" }, title, boost), tree);

  const draw = () => {
    if (!store.guild) return;
    const held = tree.contains(document.activeElement) ? document.activeElement.dataset.keep : null;
    const inDm = store.channel()?.type === DM;
    title.textContent = inDm ? "Direct Messages" : store.guild.name;
    fill(boost, !inDm && store.guild.premium_tier > 0 && [icon("boost", 16), h("span", {}, `Level ${store.guild.premium_tier}`)]);
    fill(tree, inDm ? directMessages(store, go) : categories());
    if (held) tree.querySelector(`[data-keep="${CSS.escape(held)}"]`)?.focus({ preventScroll: true });
  };

  const categories = () => {
    const all = [...store.channels.values()].filter((c) => c.type !== DM);
    const inside = (id) => all.filter((c) => (c.parent_id ?? null) === id && c.position !== undefined && c.type !== CATEGORY).sort(byPosition);
    const named = all.filter((c) => c.type === CATEGORY).sort(byPosition);
    return [inside(null).map(entry), named.map((category) => group(category, inside(category.id)))];
  };

  const group = (category, channels) => {
    if (!channels.length) return null;
    const shut = closed.has(category.id);
    const toggle = () => {
      if (!closed.delete(category.id)) closed.add(category.id);
      draw();
    };
    const head = h("button", { type: "button", class: "category", "aria-expanded": String(!shut), dataset: { keep: category.id }, onclick: toggle }, icon("chevron", 12), category.name);
    return h("section", { class: "category-group" }, h("h2", {}, head), h("ul", {}, channels.filter((c) => !shut || c.id === store.channelId).map(entry)));
  };

  const entry = (channel) => {
    const threads = store.threadsOf(channel.id).filter((t) => !t.thread_metadata.archived || t.id === store.threadId);
    return h(
      "li",
      {},
      link(channel, store.channelId === channel.id && !store.threadId, () => go.channel(channel.id), store),
      threads.length > 0 && h("ul", { class: "thread-list", "aria-label": channel.type === FORUM ? "Posts" : "Threads" }, threads.map((t) => h("li", {}, link(t, store.threadId === t.id, () => go.thread(t.id), store)))),
    );
  };
  store.on("guild places route unread", draw);
}

function link(channel, current, onclick, store) {
  const count = store.unread.get(channel.id);
  const kinds = ["channel", current && "current", count !== undefined && "unread", channel.thread_metadata?.archived && "archived"];
  const spoken = `${channel.name}${kindWords(channel)}${count ? `, ${count} mentions` : count === 0 ? ", unread" : ""}`;
  const isThread = channel.parent_id && channel.thread_metadata;
  return h(
    "button",
    { type: "button", class: kinds.filter(Boolean).join(" "), "aria-label": spoken, "aria-current": current ? "page" : null, dataset: { keep: channel.id, channel: channel.id }, onclick },
    isThread ? null : icon(channelIcon(channel), 20),
    h("span", { class: "channel-name" }, channel.name),
    channel.thread_metadata?.locked && icon("lock", 14),
    count > 0 && h("span", { class: "badge" }, String(count)),
  );
}

function kindWords(channel) {
  if (channel.thread_metadata) return " (thread)";
  const words = { 0: channel.private ? " (private text channel)" : " (text channel)", 5: " (announcement channel)", 15: " (forum)" };
  return words[channel.type] ?? (VOICE.includes(channel.type) ? " (voice channel)" : "");
}

function directMessages(store, go) {
  const dm = store.dm;
  const count = dm && store.unread.get(dm.id);
  return h(
    "ul",
    { class: "dm-list" },
    h(
      "li",
      {},
      h("button", { type: "button", class: "channel current", "aria-current": "page", onclick: () => go.directMessages() }, h("span", { class: `presence ${store.botOnline ? "online" : ""}` }, h("img", { src: store.avatarOf(store.bot), alt: "", width: 32, height: 32 })), h("span", { class: "channel-name" }, store.bot.global_name), h("span", { class: "app-badge" }, "APP"), count > 0 && h("span", { class: "badge" }, String(count))),
    ),
  );
}
