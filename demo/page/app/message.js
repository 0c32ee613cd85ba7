// One message.

import { h } from "./dom.js";
import { components } from "./components.js";
import { embed } from "./embeds.js";
import { icon } from "./icons.js";
import { inlineMarkdown, markdown } from "./markdown.js";
import { attachments } from "./media.js";
import { ago, clockTime, longTime, madeAt, messageTime } from "./time.js";

const GROUP_MS = 7 * 60_000;
export const TYPE = { THREAD_CREATED: 18, REPLY: 19, COMMAND: 20, STARTER: 21, MENU: 23 };
const V2 = 1 << 15;

/** Whether a message stands under the one before it without its author's name. */
export function isGrouped(message, before) {
  if (!before || before.author.id !== message.author.id) return false;
  if ([before, message].some((m) => [TYPE.THREAD_CREATED, TYPE.STARTER].includes(m.type))) return false;
  if (headed(message) || before.ephemeral !== message.ephemeral) return false;
  return new Date(message.timestamp) - new Date(before.timestamp) < GROUP_MS;
}

const headed = (message) => [TYPE.REPLY, TYPE.COMMAND, TYPE.MENU].includes(message.type);

/** Show a message; `context` is the list's: { store, names, act }. */
export function messageRow(message, grouped, context) {
  if (message.type === TYPE.STARTER && message.referenced_message) {
    const told = message.referenced_message;
    const known = context.store.messages.get(told.channel_id)?.get(told.id);
    return messageRow({ ...(known ?? told), thread: null }, false, context);
  }
  if (message.type === TYPE.THREAD_CREATED) return threadCreated(message, context);
  const { store } = context;
  const name = store.nameOf(message.author);
  const kinds = ["message", !grouped && "first", message.pinged && "pinged", message.ephemeral && "ephemeral"];
  return h(
    "li",
    { class: kinds.filter(Boolean).join(" "), dataset: { id: message.id }, tabindex: -1, "aria-label": spokenLabel(message, name) },
    headed(message) && headLine(message, context),
    grouped ? h("time", { class: "side-time", datetime: message.timestamp }, clockTime(message.timestamp)) : avatar(message.author, context),
    h("div", { class: "message-body" }, !grouped && authorLine(message, name, context), body(message, context)),
    !message.local && toolbar(message, context),
  );
}

function spokenLabel(message, name) {
  const kind = message.ephemeral ? ", only you can see this" : message.pinged ? ", mentions you" : "";
  return `${name}, ${messageTime(message.timestamp)}${kind}`;
}

function avatar(user, { store, act }) {
  const open = (event) => act.userMenu(user, event.currentTarget);
  const face = h("img", { src: store.avatarOf(user), alt: "", width: 40, height: 40 });
  return h("button", { type: "button", class: "avatar", tabindex: -1, "aria-label": `${store.nameOf(user)}, more`, onclick: open, oncontextmenu: (e) => act.userContext(user, e) }, face);
}

function authorLine(message, name, { store }) {
  const tint = store.colourOf(message.author.id);
  return h(
    "h3",
    { class: "author-line" },
    h("span", { class: "author", style: tint ? { "--tint": tint } : {} }, name),
    message.author.bot && h("span", { class: "app-badge" }, "APP"),
    h("time", { datetime: message.timestamp, title: longTime(message.timestamp) }, messageTime(message.timestamp)),
  );
}

// --- the line above: what it answers --------------------------------------------------------------------------

function headLine(message, context) {
  return message.type === TYPE.REPLY ? replyLine(message, context) : commandLine(message, context);
}

function commandLine(message, { store }) {
  const about = message.interaction_metadata ?? message.interaction;
  if (!about) return null;
  const sign = message.type === TYPE.MENU ? icon("apps", 14) : null;
  const command = h("span", { class: "used-command" }, sign ?? "/", about.name ?? message.interaction?.name);
  return h("div", { class: "head-line" }, smallFace(about.user, store), h("span", { class: "head-name" }, store.nameOf(about.user)), " used ", command);
}

function replyLine(message, { store, names, act }) {
  const target = message.referenced_message ?? store.messages.get(message.channel_id)?.get(message.message_reference?.message_id);
  if (!target) return h("div", { class: "head-line" }, icon("reply", 14), h("em", {}, "Original message was deleted"));
  const words = target.content ? inlineMarkdown(target.content.split("\n")[0].slice(0, 120), names) : h("em", {}, target.attachments?.length ? "Click to see attachment" : "Click to see message");
  return h(
    "div",
    { class: "head-line" },
    smallFace(target.author, store),
    h("span", { class: "head-name" }, `@${store.nameOf(target.author)}`),
    h("button", { type: "button", class: "head-words", onclick: () => act.jump(target.id) }, words),
  );
}

function smallFace(user, store) {
  return h("img", { src: store.avatarOf(user), alt: "", width: 16, height: 16, class: "small-face" });
}

// --- what it says ---------------------------------------------------------------------------------------------

function body(message, context) {
  if (message.deferred) return [thinking(`${context.store.nameOf(message.author)} is thinking`), privateNote(message, context)];
  if (message.local) return message.local === "failed" ? [failed("The application did not respond"), privateNote(message, context)] : thinking("Sending command");
  const edited = message.edited_timestamp && h("span", { class: "edited", title: longTime(message.edited_timestamp) }, " (edited)");
  const inside = {
    ...context,
    press: (component, values) => context.act.press(message, component, values),
    waiting: (component) => context.act.isWaiting(message, component),
  };
  const v2 = message.flags & V2;
  return [
    message.content && h("div", { class: "content markdown" }, markdown(message.content, context.names), edited),
    attachments(v2 ? [] : message.attachments),
    message.embeds.map((data) => embed(data, context.names)),
    message.components.length > 0 && h("div", { class: "components" }, components(message.components, inside)),
    context.act.hasFailed(message) && failed("This interaction failed"),
    message.thread && threadBox(message.thread, context),
    privateNote(message, context),
  ];
}

function thinking(words) {
  return h("div", { class: "thinking" }, h("span", { class: "dots" }, h("i"), h("i"), h("i")), ` ${words}…`);
}

function failed(words) {
  return h("div", { class: "failed" }, icon("alert", 16), ` ${words}`);
}

function privateNote(message, { act }) {
  if (!message.ephemeral) return null;
  const dismiss = h("button", { type: "button", class: "linkish", onclick: () => act.dismiss(message) }, "Dismiss message");
  return h("div", { class: "private-note" }, icon("eye", 16), " Only you can see this • ", dismiss);
}

// --- threads --------------------------------------------------------------------------------------------------

function threadBox(told, context) {
  const { store, act } = context;
  const thread = store.channels.get(told.id) ?? told;
  const count = thread.message_count ?? 0;
  const pings = store.unread.get(thread.id);
  return h(
    "div",
    { class: "thread-box-row" },
    h(
      "button",
      { type: "button", class: "thread-box", dataset: { keep: "thread", thread: thread.id }, onclick: () => act.openThread(thread.id) },
      h("span", { class: "thread-line" }, h("span", { class: "thread-name" }, thread.name), h("span", { class: "thread-count" }, `${count} ${count === 1 ? "Message" : "Messages"} ›`), pings > 0 && h("span", { class: "badge" }, String(pings))),
      h("span", { class: "thread-last" }, lastInThread(thread, context)),
    ),
  );
}

function lastInThread(thread, { store, names }) {
  if (!thread.message_count) return "There are no recent messages in this thread.";
  const last = [...(store.messages.get(thread.id)?.values() ?? [])].filter((message) => !message.ephemeral).at(-1);
  const at = thread.last_message_id && ago(madeAt(last?.id ?? thread.last_message_id));
  if (!last) return at;
  const words = last.content ? inlineMarkdown(last.content.split("\n")[0].slice(0, 100), names) : "Click to see attachment";
  return [smallFace(last.author, store), h("strong", {}, store.nameOf(last.author)), " ", h("span", { class: "thread-words" }, words), " ", at];
}

function threadCreated(message, { store, act }) {
  const id = message.message_reference?.channel_id;
  const open = h("button", { type: "button", class: "linkish strong", onclick: () => act.openThread(id) }, message.content);
  return h(
    "li",
    { class: "message system", dataset: { id: message.id }, tabindex: -1 },
    h("span", { class: "system-icon" }, icon("thread", 18)),
    h("div", { class: "message-body" }, h("strong", {}, store.nameOf(message.author)), " started a thread: ", open, ". ", h("time", {}, messageTime(message.timestamp))),
  );
}

function toolbar(message, { act }) {
  const reply = !message.ephemeral && h("button", { type: "button", "aria-label": "Reply", title: "Reply", tabindex: -1, onclick: () => act.reply(message) }, icon("reply", 18));
  const more = h("button", { type: "button", "aria-label": "More", title: "More", tabindex: -1, onclick: (e) => act.messageMenu(message, e.currentTarget) }, icon("dots", 18));
  return h("div", { class: "message-tools" }, reply, more);
}
