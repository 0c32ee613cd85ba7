// A column of chat: a heading, messages, who is typing, and the composer. The page has two: channel and thread.

import { fill, h } from "./dom.js";
import { actions } from "./actions.js";
import { Composer } from "./composer.js";
import { channelIcon, icon } from "./icons.js";
import { MessageList } from "./messagelist.js";
import { DM, THREADS, VOICE } from "./store.js";

export class Column {
  constructor(store, go, { heading, headButtons = [], leadButtons = [] }) {
    this.store = store;
    this.channelId = null;
    this.title = h(heading, { class: "column-title" });
    this.topic = h("span", { class: "column-topic" });
    this.header = h("header", { class: "column-head" }, leadButtons, this.title, this.topic, h("div", { class: "head-buttons" }, headButtons));
    const names = namesOf(store, go);
    this.act = actions(store, this, go);
    this.composer = new Composer(store, this);
    this.list = new MessageList(store, names, this.act, (channel) => welcome(store, channel, this.composer));
    this.typing = h("div", { class: "typing", "aria-live": "polite" });
    this.drop = h("div", { class: "drop-veil", hidden: true }, h("div", {}, icon("upload", 40), h("strong", {}, ""), h("span", {}, "Files go where you drop them")));
    this.body = h("div", { class: "column-body" }, this.list.element, this.composer.element, this.typing);
    this.parts = [this.header, this.body, this.drop];
    store.on("typing", () => this.showTyping());
    store.on("places guild", () => this.showHead());
  }

  /** Put the column into an element, which then takes files that are dropped on it. */
  mount(element) {
    fill(element, this.parts);
    let depth = 0;
    const files = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const veil = (shown) => {
      this.drop.hidden = !shown;
      if (shown) this.drop.querySelector("strong").textContent = this.composer.dropWords();
    };
    element.addEventListener("dragenter", (event) => files(event) && veil(++depth > 0));
    element.addEventListener("dragleave", (event) => files(event) && veil(--depth > 0));
    element.addEventListener("dragover", (event) => files(event) && event.preventDefault());
    element.addEventListener("drop", (event) => {
      if (!files(event)) return;
      event.preventDefault();
      depth = 0;
      veil(false);
      this.composer.take([...event.dataTransfer.files], { x: event.clientX, y: event.clientY });
    });
    return element;
  }

  show(channelId) {
    this.channelId = channelId;
    const channel = this.store.channel(channelId);
    this.showHead();
    this.list.show(channel);
    this.composer.show(channel);
    this.showTyping();
  }

  showHead() {
    const channel = this.store.channel(this.channelId);
    if (!channel) return;
    const face = channel.type === DM ? h("img", { src: this.store.avatarOf(channel.recipients[0]), alt: "", width: 24, height: 24, class: "small-face" }) : icon(channelIcon(channel), 22);
    const state = channel.thread_metadata;
    const note = state?.locked ? "Locked" : state?.archived ? "Archived" : "";
    fill(this.title, face, h("span", {}, channel.name), note && h("span", { class: "head-note" }, note));
    fill(this.topic, channel.topic ?? "");
    this.composer.refresh(channel);
  }

  showTyping() {
    const now = Date.now();
    const who = [...(this.store.typing.get(this.channelId) ?? [])].filter(([, until]) => until > now);
    const names = who.map(([id]) => this.store.user(id)).filter(Boolean).map((user) => this.store.nameOf(user));
    const verb = names.length === 1 ? " is typing…" : " are typing…";
    const words = names.length > 3 ? "Several people are typing…" : [h("strong", {}, listed(names)), verb];
    fill(this.typing, names.length > 0 && [h("span", { class: "dots" }, h("i"), h("i"), h("i")), " ", words]);
  }
}

function listed(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Whom the ids in messages mean. */
function namesOf(store, go) {
  return {
    get me() {
      return store.me?.id;
    },
    user: (id) => store.user(id) && { name: store.nameOf(store.user(id)) },
    role: (id) => store.role(id) && { name: store.role(id).name, colour: store.role(id).color ? `#${store.role(id).color.toString(16).padStart(6, "0")}` : null },
    channel: (id) => store.channel(id),
    open: (id) => (THREADS.includes(store.channel(id)?.type) ? go.thread(id) : go.channel(id)),
  };
}

/** What stands at the beginning of a channel. */
function welcome(store, channel, composer) {
  if (THREADS.includes(channel.type)) {
    const owner = store.user(channel.owner_id);
    return [h("div", { class: "welcome-icon" }, icon("thread", 36)), h("h3", {}, channel.name), owner && h("p", {}, "Started by ", h("strong", {}, store.nameOf(owner)))];
  }
  const invited = store.supervised && store.may("USE_APPLICATION_COMMANDS", channel) && invitation(composer);
  if (channel.type === DM) {
    const other = channel.recipients[0];
    return [h("img", { src: store.avatarOf(other), alt: "", class: "welcome-face", width: 80, height: 80 }), h("h3", {}, channel.name), h("p", {}, "This is the beginning of your direct message history with ", h("strong", {}, channel.name), "."), invited];
  }
  const name = VOICE.includes(channel.type) ? channel.name : `#${channel.name}`;
  return [h("div", { class: "welcome-icon" }, icon(channelIcon(channel), 40)), h("h3", {}, `Welcome to ${name}!`), h("p", {}, `This is the start of the ${name} channel. ${channel.topic ?? ""}`), invited];
}

/** Show a newcomer how to begin. */
function invitation(composer) {
  const picker = h("input", { type: "file", accept: "image/*", hidden: true, tabindex: -1, "aria-hidden": "true" });
  picker.addEventListener("change", () => {
    composer.animate(picker.files[0]);
    picker.value = "";
  });
  return h(
    "div",
    { class: "invitation" },
    h("p", {}, "This is a sandbox: nothing here costs anything or leaves your machine. Type ", h("code", { class: "code" }, "/animate"), ", or begin with:"),
    h("button", { type: "button", class: "button button-primary", onclick: () => picker.click() }, "A picture of your own"),
    h("button", { type: "button", class: "button button-secondary", onclick: () => composer.animateSample() }, "The paper boat"),
    picker,
  );
}
