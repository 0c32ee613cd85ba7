// Where one writes: messages with files and replies, and the way into slash commands.

import { api } from "./api.js";
import { localDescription, localName, startCommand } from "./actions.js";
import { CommandForm } from "./commandform.js";
import { fileSize, fill, freshId, h } from "./dom.js";
import { icon } from "./icons.js";
import { Suggestions } from "./suggestions.js";
import { alertDialog, toast } from "./overlays.js";
import { DM, THREADS } from "./store.js";

const CHAT_INPUT = 1;
const MOST_FILES = 10;
const TYPING_EVERY_MS = 8000;
const SAMPLE = { file: "/app/pictures/paper-boat.jpg", prompt: "The paper boat drifts across the glittering lake while the clouds move on" };

export class Composer {
  constructor(store, column) {
    this.store = store;
    this.column = column;
    this.files = [];
    this.reply = null;
    this.command = null;
    this.offered = null; // the commands here, asked for once while a "/" stands there
    this.looking = null; // what is waited for before they can be shown
    this.lastTyping = 0;
    this.drafts = new Map();
    this.build();
  }

  build() {
    this.listId = freshId("commands");
    this.suggestions = new Suggestions(this.listId);
    this.text = h("textarea", { class: "composer-text", rows: 1, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.listId, spellcheck: "true", maxlength: 4000 });
    this.text.addEventListener("input", () => this.typed());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("paste", (event) => this.pasted(event));
    this.text.addEventListener("blur", () => setTimeout(() => this.suggestions.owner === this.text && document.activeElement !== this.text && this.suggestions.hide(), 100));
    this.picker = h("input", { type: "file", multiple: true, hidden: true, "aria-hidden": "true", tabindex: -1 });
    this.picker.addEventListener("change", () => {
      this.take([...this.picker.files]);
      this.picker.value = "";
    });
    this.attach = h("button", { type: "button", class: "icon-button attach", "aria-label": "Upload a file", title: "Upload a file", onclick: () => this.picker.click() }, icon("plus", 22));
    this.sendButton = h("button", { type: "button", class: "icon-button send", "aria-label": "Send message", title: "Send", onclick: () => this.send() }, icon("send", 22));
    this.replyBar = h("div", { class: "reply-bar", hidden: true });
    this.uploads = h("ul", { class: "uploads", hidden: true, "aria-label": "Files to send" });
    this.slot = h("div", { class: "composer-slot" }, this.text);
    this.box = h("div", { class: "composer-box" }, this.uploads, h("div", { class: "composer-row" }, this.attach, this.slot, this.sendButton));
    this.closed = h("div", { class: "composer-closed", hidden: true });
    this.element = h("div", { class: "composer" }, this.suggestions.element, this.replyBar, this.box, this.closed, this.picker);
  }

  // --- where

  show(channel) {
    const place = `${this.store.me.name}/${channel?.id}`;
    if (this.place === place) return this.refresh(channel);
    this.place = place;
    if (this.channel) this.drafts.set(this.channel.id, this.text.value);
    this.channel = channel;
    this.offered = null;
    this.leaveCommand();
    this.replyTo(null);
    this.setFiles([]);
    this.text.value = this.drafts.get(channel?.id) ?? "";
    this.grow();
    return this.refresh(channel);
  }

  /** Follow what the person may do here now. */
  refresh(channel) {
    if (!channel || channel.id !== this.column.channelId) return;
    this.channel = channel;
    const thread = THREADS.includes(channel.type);
    const locked = channel.thread_metadata?.locked && !this.store.may("MANAGE_THREADS", channel);
    const may = this.store.may(thread ? "SEND_MESSAGES_IN_THREADS" : "SEND_MESSAGES", channel);
    const why = locked ? "This thread is locked." : !may && "You do not have permission to send messages in this channel.";
    this.box.hidden = Boolean(why);
    this.closed.hidden = !why;
    this.closed.textContent = why || "";
    const place = channel.type === DM ? `@${channel.name}` : thread ? `"${channel.name}"` : `#${channel.name}`;
    this.text.placeholder = `Message ${place}`;
    this.text.setAttribute("aria-label", `Message ${place}`);
    this.attach.hidden = !this.store.may("ATTACH_FILES", channel);
  }

  focus() {
    if (this.command) this.command.focus();
    else this.text.focus();
  }

  // --- writing

  typed() {
    this.grow();
    const now = Date.now();
    if (this.text.value && !this.text.value.startsWith("/") && now - this.lastTyping > TYPING_EVERY_MS) {
      this.lastTyping = now;
      api.post(`/discord/people/${this.store.me.name}/channels/${this.channel.id}/typing`).catch(() => {});
    }
    this.suggest();
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight / 2)}px`;
  }

  key(event) {
    if (this.suggestions.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (this.looking) this.looking.then(() => this.suggestions.pick());
      else this.send();
    } else if (event.key === "Escape") {
      if (this.reply) this.replyTo(null);
    } else if (event.key === "ArrowUp" && !this.text.value) {
      event.preventDefault();
      this.column.list.focusLast();
    }
  }

  pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.take(files);
  }

  async send() {
    if (this.command) return this.command.submit();
    const content = this.text.value.trim();
    if (!content && !this.files.length) return undefined;
    const [files, reply] = [this.files, this.reply];
    const payload = { content, ...(reply && { reply_to: reply.id }) };
    this.text.value = "";
    this.grow();
    this.setFiles([]);
    this.replyTo(null);
    this.suggestions.hide();
    this.column.list.stick();
    const named = Object.fromEntries(files.map((file, n) => [`file${n}`, file]));
    try {
      await api.upload(`/discord/people/${this.store.me.name}/channels/${this.channel.id}/messages`, payload, named);
    } catch (refused) {
      toast(refused.message, "bad");
      if (!this.text.value) this.text.value = content;
      this.setFiles(files);
    }
    return undefined;
  }

  replyTo(message) {
    this.reply = message;
    this.replyBar.hidden = !message;
    if (!message) return;
    const close = h("button", { type: "button", class: "icon-button", "aria-label": "Cancel reply", onclick: () => this.replyTo(null) }, icon("close", 16));
    fill(this.replyBar, h("span", {}, "Replying to ", h("strong", {}, this.store.nameOf(message.author))), close);
    this.leaveCommand();
    this.text.focus();
  }

  // --- files

  dropWords() {
    return this.command?.attachmentName ? `Use as ${this.command.attachmentName}` : `Upload to ${this.text.placeholder.replace("Message ", "")}`;
  }

  /** Take files that were picked, pasted or dropped `at` a point: a command that waits for some gets them. */
  take(files, at) {
    if (!files.length || this.box.hidden) return;
    const large = files.find((file) => file.size > this.store.uploadLimit);
    if (large) {
      alertDialog("Your files are too powerful", `Max file size is ${fileSize(this.store.uploadLimit)} here; ${large.name} has ${fileSize(large.size)}.`);
      return;
    }
    if (this.command?.giveFiles(files, at)) return;
    this.setFiles([...this.files, ...files].slice(0, MOST_FILES));
    this.text.focus();
  }

  setFiles(files) {
    this.files = files;
    this.uploads.hidden = !files.length;
    for (const image of this.uploads.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    fill(this.uploads, files.map((file) => h("li", {}, preview(file), h("span", { class: "upload-name" }, file.name), h("button", { type: "button", class: "icon-button", "aria-label": `Remove ${file.name}`, onclick: () => this.setFiles(this.files.filter((f) => f !== file)) }, icon("trash", 18)))));
  }

  // --- commands

  suggest() {
    if (!/^\/[^\n]*$/.test(this.text.value)) {
      this.offered = null;
      return this.suggestions.hide();
    }
    if (this.offered) return this.offer();
    this.looking ??= this.commands().then((commands) => {
      this.looking = null;
      this.offered = commands;
      return this.suggest();
    });
    return undefined;
  }

  /** Show the commands that fit what is typed. */
  offer() {
    const words = this.text.value;
    const commands = this.offered;
    const wanted = words.slice(1).toLowerCase().trimEnd();
    const fitting = commands.filter(({ words: name }) => name.startsWith(wanted)).concat(commands.filter(({ words: name }) => !name.startsWith(wanted) && name.includes(wanted)));
    const exact = commands.find(({ words: name }) => `${name} ` === words.slice(1));
    if (exact) {
      this.enterCommand(exact);
      return;
    }
    this.suggestions.show(
      fitting.map((entry) => ({ entry, label: `/${entry.words}`, hint: entry.options.map((o) => localName(o, this.store)).join("  "), about: localDescription(entry.owner, this.store), side: this.store.bot.global_name, image: this.store.avatarOf(this.store.bot) })),
      { title: fitting.length ? this.store.bot.global_name : "No commands here match", onPick: ({ entry }) => this.enterCommand(entry), owner: this.text },
    );
  }

  async commands() {
    try {
      const answer = await api.get(`/discord/people/${this.store.me.name}/commands?channel=${this.channel.id}`);
      return answer.commands.filter((c) => c.type === CHAT_INPUT).flatMap((c) => flatten(c, this.store));
    } catch (refused) {
      toast(refused.message, "bad");
      return [];
    }
  }

  enterCommand(entry) {
    this.leaveCommand();
    this.suggestions.hide();
    this.text.value = "";
    this.offered = null;
    const file = this.files.find(() => entry.options.some((o) => o.type === 11));
    this.command = new CommandForm(this.store, entry, {
      channel: () => this.channel,
      suggestions: this.suggestions,
      tooLarge: (given) => given.size > this.store.uploadLimit && this.take([given]) === undefined,
      cancel: (leftover = "") => this.cancelCommand(leftover),
      run: (values, files) => this.run(entry, values, files),
    });
    this.showCommand(this.command);
    if (file) {
      this.command.giveFile(file);
      this.setFiles(this.files.filter((f) => f !== file));
    }
    this.command.focus();
  }

  showCommand(command) {
    this.command = command;
    this.slot.replaceChildren(command.element);
    this.box.prepend(command.dropzone);
    this.attach.hidden = true;
  }

  cancelCommand(leftover) {
    this.leaveCommand();
    this.text.value = leftover;
    this.text.focus();
    this.typed();
  }

  leaveCommand() {
    if (!this.command) return;
    this.command.remove();
    this.command = null;
    this.suggestions.hide();
    this.slot.replaceChildren(this.text);
    this.attach.hidden = !this.store.may("ATTACH_FILES", this.channel);
  }

  async run(entry, values, files) {
    const channel = this.channel;
    const payload = { person: this.store.me.name, channel: channel.id, command: entry.path, options: values };
    const command = this.command;
    this.leaveCommand();
    this.text.focus();
    this.column.list.stick();
    try {
      await startCommand(this.store, channel.id, entry.words, 20, () => api.upload("/discord/run", payload, files));
    } catch {
      this.showCommand(command); // what was entered is not lost
      command.focus();
    }
  }

  /** Begin the demo's command with a picture. */
  async animate(picture) {
    const animate = (await this.commands()).find(({ path }) => path === "animate");
    if (!animate) {
      toast("Kinora's command is not there yet: the bot is still starting.", "bad");
      return;
    }
    this.enterCommand(animate);
    this.command.giveFile(picture);
  }

  /** The same with the demo's own picture and prompt. */
  async animateSample() {
    const picture = await (await fetch(SAMPLE.file)).blob();
    await this.animate(new File([picture], "paper-boat.jpg", { type: "image/jpeg" }));
    this.command?.setText("prompt", SAMPLE.prompt);
  }
}

/** Show what a file will look like. */
export function preview(file) {
  if (!file.type.startsWith("image/")) return h("span", { class: "upload-icon" }, icon("file", 40));
  const image = h("img", { src: URL.createObjectURL(file), alt: "" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "upload-icon" }, icon("file", 40))));
  return image;
}

/** List a command's forms: itself, or each of its sub-commands. */
function flatten(command, store, path = [], words = [], owner = command) {
  const here = [...path, owner.name];
  const said = [...words, localName(owner, store)];
  const subs = (owner.options ?? []).filter((o) => o.type === 1 || o.type === 2);
  if (subs.length) return subs.flatMap((sub) => flatten(command, store, here, said, sub));
  return [{ command, owner, path: here.join(" "), words: said.join(" "), options: owner.options ?? [] }];
}
