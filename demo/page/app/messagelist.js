// The messages of one channel or thread, kept up to date without redrawing what did not change: a playing video
// goes on playing when the card above it is edited.

import { fill, h } from "./dom.js";
import { isGrouped, messageRow, TYPE } from "./message.js";
import { byId } from "./store.js";
import { dayName, sameDay } from "./time.js";

const NEAR = 80; // pixels from the end that still count as "at the end"

export class MessageList {
  constructor(store, names, act, welcome) {
    Object.assign(this, { store, names, act, welcome });
    this.channelId = null;
    this.rows = new Map();
    this.list = h("ol", { class: "message-list", onkeydown: (event) => this.move(event) });
    this.head = h("div", { class: "welcome" });
    this.element = h("div", { class: "messages", role: "log", "aria-live": "polite", tabindex: 0 }, this.head, this.list);
    this.atEnd = true;
    this.element.addEventListener("scroll", () => (this.atEnd = this.distance() < NEAR));
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.list);
    new ResizeObserver(() => this.atEnd && this.toEnd()).observe(this.element);
    this.pressed = false;
    this.late = new Set();
    this.element.addEventListener("pointerdown", () => (this.pressed = true));
    for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => this.released());
    store.on("messages", (change) => this.changed(change));
    store.on("unread places", () => this.redrawThreads());
  }

  distance() {
    return this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight;
  }

  /** Go to the end and stay there while more comes. */
  stick() {
    this.atEnd = true;
    this.toEnd();
  }

  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  /** Show a channel from its end. */
  show(channel) {
    this.channelId = channel?.id ?? null;
    this.pressed = false;
    this.rows.clear();
    this.list.replaceChildren();
    this.element.setAttribute("aria-label", channel ? `Messages in ${channel.name}` : "Messages");
    fill(this.head, channel && this.welcome(channel));
    this.atEnd = true;
    this.draw();
    this.toEnd();
  }

  changed({ channelId, message, thread, interaction }) {
    if (message && this.rows.has(message.channel_id)) this.draw(new Set([message.channel_id])); // a thread's last words
    if (message && message.id === this.channelId) this.draw(new Set(this.starters())); // what this thread began from
    if (channelId !== this.channelId) return;
    const dirty = [thread?.id, interaction?.source_message_id].filter(Boolean);
    this.draw(new Set(dirty));
  }

  starters() {
    return [...this.rows.values()].filter((row) => row.message.type === TYPE.STARTER).map((row) => row.message.id);
  }

  redrawThreads() {
    this.draw(new Set([...this.rows.values()].filter((row) => row.message.thread).map((row) => row.message.id)));
  }

  /** Everything to be shown, oldest first: messages not put away, then commands still without an answer. */
  shown() {
    const known = [...(this.store.messages.get(this.channelId)?.values() ?? [])].sort(byId);
    const pending = [...this.store.pending].filter(([, p]) => p.channel_id === this.channelId).map(([id, p]) => this.asMessage(id, p));
    return [...known.filter((m) => !this.store.dismissed.has(m.id)), ...pending];
  }

  asMessage(id, pending) {
    const failed = Boolean(this.store.interactions.get(id)?.failed);
    const state = failed ? "failed" : "sending";
    if (pending.shown?.local === state) return pending.shown;
    const nothing = { embeds: [], components: [], attachments: [], content: "", flags: 0 };
    pending.shown = { ...nothing, ...pending, id: `pending-${id}`, local: state, ephemeral: failed };
    return pending.shown;
  }

  /** Draw what had to wait: a button must not be redrawn between press and release, or its click is lost. */
  released() {
    if (!this.pressed) return;
    this.pressed = false;
    setTimeout(() => {
      const late = this.late;
      this.late = new Set();
      this.draw(late);
    });
  }

  draw(dirty = new Set()) {
    if (!this.channelId) return;
    if (this.pressed) {
      for (const id of dirty) this.late.add(id);
      return;
    }
    const messages = this.shown();
    const wanted = new Set(messages.map((m) => m.id));
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.element.remove();
      this.rows.delete(id);
    }
    for (const divider of this.list.querySelectorAll(".divider")) divider.remove();
    const elements = messages.map((message, n) => this.row(message, messages[n - 1], dirty));
    let place = this.list.firstChild;
    elements.forEach((element, n) => {
      if (element === place) place = place.nextSibling;
      else this.list.insertBefore(element, place);
      const newDay = n === 0 || !sameDay(messages[n - 1].timestamp, messages[n].timestamp);
      if (newDay) this.list.insertBefore(divider("day", dayName(messages[n].timestamp)), element);
      if (messages[n].id === this.store.newSince.get(this.channelId)) this.list.insertBefore(divider("new", "New"), element);
    });
    if (this.atEnd) this.toEnd();
  }

  row(message, before, dirty) {
    const grouped = isGrouped(message, before) && sameDay(before.timestamp, message.timestamp);
    const known = this.rows.get(message.id);
    if (known && known.message === message && known.grouped === grouped && !dirty.has(message.id)) return known.element;
    const element = messageRow(message, grouped, { store: this.store, names: this.names, act: this.act });
    element.addEventListener("contextmenu", (event) => this.openMenu(event, message));
    longPress(element, (at) => this.act.messageMenu(message, element, at));
    if (known) swap(known.element, element);
    this.rows.set(message.id, { message, grouped, element });
    return element;
  }

  openMenu(event, message) {
    if (message.local || event.target.closest("a, img, video, .avatar")) return;
    event.preventDefault();
    const byKey = event.clientX === 0 && event.clientY === 0;
    const element = this.rows.get(message.id).element;
    this.act.messageMenu(message, element, byKey ? null : { left: event.clientX, top: event.clientY, bottom: event.clientY, width: 0 });
  }

  /** Arrow keys go from message to message, as in Discord. */
  move(event) {
    if (!["ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) return;
    const row = event.target.closest(".message");
    if (!row || event.target !== row) return;
    const rows = [...this.list.querySelectorAll(".message")];
    const here = rows.indexOf(row);
    const to = { ArrowUp: here - 1, ArrowDown: here + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (!rows[to]) return;
    event.preventDefault();
    rows[to].focus();
  }

  focusLast() {
    this.list.querySelector(".message:last-of-type")?.focus();
  }

  jump(id) {
    const row = this.rows.get(id)?.element;
    row?.scrollIntoView({ block: "center" });
    row?.classList.add("jumped");
    setTimeout(() => row?.classList.remove("jumped"), 1500);
  }
}

function divider(kind, words) {
  return h("li", { class: `divider divider-${kind}` }, h("span", {}, words));
}

/** Put a new row in an old one's place; what had the focus, or played, goes on. */
function swap(old, fresh) {
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const keep = held?.dataset.keep;
  // Moved, not made anew: a video keeps its place.
  for (const video of old.querySelectorAll(".video")) {
    const source = video.querySelector("video")?.src;
    const twin = [...fresh.querySelectorAll(".video")].find((v) => v.querySelector("video")?.src === source);
    if (source && twin) twin.replaceWith(video);
  }
  old.replaceWith(fresh);
  if (!held) return;
  const again = keep ? fresh.querySelector(`[data-keep="${CSS.escape(keep)}"]`) : fresh.contains(held) ? held : fresh;
  again?.focus({ preventScroll: true });
}

/** Hear a finger that stays. */
function longPress(element, hear) {
  let timer = 0;
  const stop = () => clearTimeout(timer);
  element.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" || event.target.closest("button, a, video, input")) return;
    const at = { left: event.clientX, top: event.clientY, bottom: event.clientY, width: 0 };
    timer = setTimeout(() => hear(at), 500);
  });
  for (const name of ["pointerup", "pointermove", "pointercancel"]) element.addEventListener(name, stop);
}
