// What a person can do with messages and people, apart from writing.

import { api } from "./api.js";
import { h } from "./dom.js";
import { begun } from "./live.js";
import { dialog, menu, toast } from "./overlays.js";

const USER_COMMAND = 2;
const MESSAGE_COMMAND = 3;

/** Make the actions of one list of messages; `column` has `composer` and `list`. */
export function actions(store, column, go) {
  const key = (message, component) => `${message.id}/${component.custom_id}`;
  const stateOf = (message, component) => store.interactions.get(store.clicks.get(key(message, component)));

  const commands = async (channelId, kind) => {
    const answer = await api.get(`/discord/people/${store.me.name}/commands?channel=${channelId}`);
    return answer.commands.filter((c) => c.type === kind);
  };

  const runMenu = async (command, channelId, target) => {
    const body = { person: store.me.name, channel: channelId, command: command.name, target };
    await startCommand(store, channelId, command.name, 23, () => api.post("/discord/menu", body));
  };

  const apps = async (channelId, kind, target) => {
    const offered = await commands(channelId, kind).catch(() => []);
    if (!offered.length) return [{ label: "No apps here", run: () => {} }];
    return offered.map((command) => ({ label: localName(command, store), icon: "apps", run: () => runMenu(command, channelId, target) }));
  };

  return {
    openThread: (id) => go.thread(id),
    reply: (message) => column.composer.replyTo(message),
    jump: (id) => column.list.jump(id),

    dismiss(message) {
      if (message.local) store.pending.delete(message.id.replace("pending-", ""));
      else store.dismissed.add(message.id);
      store.emit("messages", { channelId: message.channel_id });
      column.composer.focus();
    },

    async press(message, component, values) {
      const body = { person: store.me.name, channel: message.channel_id, message: message.id, custom_id: component.custom_id };
      try {
        store.clicks.set(key(message, component), "asked");
        store.emit("messages", { channelId: message.channel_id, thread: { id: message.id } });
        const { interaction_id: id } = await api.post("/discord/click", values ? { ...body, values } : body);
        store.clicks.set(key(message, component), id);
        await begun(store, id);
      } catch (refused) {
        store.clicks.delete(key(message, component));
        toast(refused.message, "bad");
      }
      store.emit("messages", { channelId: message.channel_id, thread: { id: message.id } });
    },

    isWaiting(message, component) {
      if (store.clicks.get(key(message, component)) === "asked") return true;
      const state = stateOf(message, component);
      return Boolean(state && !state.acknowledged && !state.failed);
    },

    hasFailed(message) {
      const clicked = [...store.clicks].filter(([where]) => where.startsWith(`${message.id}/`)).at(-1);
      return Boolean(clicked && store.interactions.get(clicked[1])?.failed);
    },

    async messageMenu(message, anchor, at) {
      const entries = [
        !message.ephemeral && { label: "Reply", icon: "reply", run: () => column.composer.replyTo(message) },
        { label: "Copy Text", icon: "copy", run: () => copy(message.content) },
        { label: "Apps", items: message.ephemeral ? [{ label: "No apps here", run: () => {} }] : await apps(message.channel_id, MESSAGE_COMMAND, message.id) },
        { label: "Copy Message ID", icon: "copy", run: () => copy(message.id) },
        mayDelete(store, message) && { label: "Delete Message", icon: "trash", danger: true, run: () => confirmDelete(store, message) },
      ];
      menu(anchor, entries.filter(Boolean), { at, label: "Message" });
    },

    async userMenu(user, anchor, at) {
      const entries = [{ label: "Apps", items: await apps(column.channelId ?? store.channelId, USER_COMMAND, user.username) }, { label: "Copy User ID", icon: "copy", run: () => copy(user.id) }];
      menu(anchor, entries, { at, label: store.nameOf(user) });
    },

    userContext(user, event) {
      event.preventDefault();
      event.stopPropagation();
      this.userMenu(user, event.currentTarget, { left: event.clientX, top: event.clientY, bottom: event.clientY, width: 0 });
    },
  };
}

/** Name a command, or an option, or a choice, in this person's language. */
export function localName(owner, store) {
  return owner.name_localizations?.[store.me.locale] ?? owner.name;
}

export function localDescription(owner, store) {
  return owner.description_localizations?.[store.me.locale] ?? owner.description;
}

/** Begin a command and show it as being sent until it is answered; a refusal is thrown on. */
export async function startCommand(store, channelId, name, type, begin) {
  try {
    const { interaction_id: id } = await begin();
    const waiting = { channel_id: channelId, type, author: store.bot, timestamp: new Date().toISOString(), interaction_metadata: { user: store.me, name } };
    const answered = [...(store.messages.get(channelId)?.values() ?? [])].some((m) => m.interaction_metadata?.id === id);
    if (!answered) store.pending.set(id, waiting);
    const state = await begun(store, id);
    if (state.acknowledged) store.pending.delete(id);
    store.emit("messages", { channelId });
    return id;
  } catch (refused) {
    toast(refused.message, "bad");
    throw refused;
  }
}

function mayDelete(store, message) {
  const own = message.author.id === store.me.id;
  return !message.ephemeral && (own || store.may("MANAGE_MESSAGES", store.channel(message.channel_id)));
}

function confirmDelete(store, message) {
  const remove = async (close) => {
    close();
    const path = `/discord/people/${store.me.name}/channels/${message.channel_id}/messages/${message.id}`;
    await api.delete(path).catch((refused) => toast(refused.message, "bad"));
  };
  dialog(
    (close) => [
      h("h2", {}, "Delete Message"),
      h("p", {}, "Are you sure you want to delete this message?"),
      h(
        "div",
        { class: "dialog-buttons" },
        h("button", { type: "button", class: "button button-secondary", onclick: close }, "Cancel"),
        h("button", { type: "button", class: "button button-danger", autofocus: true, onclick: () => remove(close) }, "Delete"),
      ),
    ],
    { label: "Delete Message", kind: "alert" },
  );
}

function copy(text) {
  navigator.clipboard?.writeText(text).then(
    () => toast("Copied"),
    () => toast("The browser does not allow copying here.", "bad"),
  );
}
