// What happens in the sandbox, told over one WebSocket, becomes a change of the store.

import { api, listen } from "./api.js";
import { soon } from "./dom.js";
import { THREADS } from "./store.js";

const PRIVATE = 1 << 6;
const LOADING = 1 << 7;
const STARTER = 21;
const TYPING_MS = 10_000;

/** Follow what happens; `load` is awaited once the connection stands, so that nothing in between is missed. */
export async function follow(store, load) {
  let early = [];
  const guildChanged = soon(() => store.loadGuild());
  const placesChanged = soon(() => store.loadPlaces());

  const discord = {
    MESSAGE_CREATE: (data, event) => messageCame(store, data, event),
    MESSAGE_UPDATE: (data, event) => messageChanged(store, data, event),
    MESSAGE_DELETE: (data) => messageGone(store, data),
    TYPING_START: (data) => typing(store, data.channel_id, data.user_id),
    INTERACTION_STATE: (data) => interaction(store, data),
  };

  const apply = (event) => {
    if (event.type === "exchange") return exchange(store, event.exchange, guildChanged);
    if (event.type === "reset") return store.emit("reset");
    if (event.type !== "discord") return store.emit(event.type, event);
    if (/^(GUILD|CHANNEL|THREAD)_/.test(event.event)) {
      if (!event.event.startsWith("THREAD")) guildChanged();
      placesChanged();
    }
    if (!event.people.includes(store.me?.name)) return undefined;
    return discord[event.event]?.(event.data, event);
  };

  await new Promise((connected) => {
    const hear = (event) => (early ? early.push(event) : apply(event));
    listen(hear, (on) => {
      store.connected = on;
      store.emit("connection", on);
      if (on) connected();
    });
  });
  await load();
  const told = early;
  early = null;
  told.forEach(apply);
}

function exchange(store, told, guildChanged) {
  // The bot comes and goes with its gateway connection.
  if (told.side === "gateway" && /^(READY|RESUMED|op [79])$/.test(told.path)) guildChanged();
  store.emit("exchange", told);
}

function asSeen(store, data, event) {
  return {
    ...data,
    ephemeral: Boolean(data.flags & PRIVATE),
    deferred: Boolean(data.flags & LOADING),
    pinged: (event.pings ?? []).includes(store.me.name),
  };
}

function messageCame(store, data, event) {
  const message = asSeen(store, data, event);
  store.typing.get(message.channel_id)?.delete(message.author.id);
  store.emit("typing", message.channel_id);
  if (store.messages.has(message.channel_id)) store.messages.get(message.channel_id).set(message.id, message);
  else if (THREADS.includes(message.channel_type)) store.loadMessages(message.channel_id).catch(() => {}); // its last words show
  answered(store, message);
  if (!message.ephemeral) count(store, message.channel_id, 1);
  notice(store, message);
  store.emit("messages", { channelId: message.channel_id, message });
}

function messageChanged(store, data, event) {
  const message = asSeen(store, data, event);
  const known = store.messages.get(message.channel_id);
  const before = known?.get(message.id);
  known?.set(message.id, message);
  answered(store, message);
  if (before?.deferred && message.pinged) notice(store, message);
  store.emit("messages", { channelId: message.channel_id, message });
}

function messageGone(store, data) {
  const known = store.messages.get(data.channel_id);
  if (!known?.get(data.id)?.ephemeral) count(store, data.channel_id, -1);
  known?.delete(data.id);
  store.emit("messages", { channelId: data.channel_id, gone: data.id });
}

/** Keep a thread's count of messages, which Discord's clients count themselves. */
function count(store, channelId, by) {
  const thread = store.channels.get(channelId);
  if (!thread || !THREADS.includes(thread.type)) return;
  thread.message_count = Math.max(0, (thread.message_count ?? 0) + by);
  store.emit("messages", { channelId: thread.parent_id, thread });
}

function notice(store, message) {
  if (message.author.id === store.me.id) store.newSince.delete(message.channel_id); // whoever answers has read
  if (message.author.id === store.me.id || message.type === STARTER || store.isLookedAt(message.channel_id)) return;
  if (!store.unread.has(message.channel_id)) store.newSince.set(message.channel_id, message.id);
  const before = store.unread.get(message.channel_id) ?? 0;
  store.unread.set(message.channel_id, before + (message.pinged ? 1 : 0));
  store.emit("unread");
}

function answered(store, message) {
  const id = message.interaction_metadata?.id;
  if (id && store.pending.delete(id)) store.emit("messages", { channelId: message.channel_id });
}

function typing(store, channelId, userId) {
  if (userId === store.me.id) return;
  if (!store.typing.has(channelId)) store.typing.set(channelId, new Map());
  store.typing.get(channelId).set(userId, Date.now() + TYPING_MS);
  store.emit("typing", channelId);
  setTimeout(() => {
    const who = store.typing.get(channelId);
    if (who?.get(userId) <= Date.now()) who.delete(userId);
    store.emit("typing", channelId);
  }, TYPING_MS + 10);
}

function interaction(store, state) {
  store.interactions.set(state.interaction_id, state);
  const pending = store.pending.get(state.interaction_id);
  // A deferral or an answer shows as a message of its own; a modal as a dialog.
  if (pending && state.acknowledged) store.pending.delete(state.interaction_id);
  store.emit("interaction", state);
  store.emit("messages", { channelId: state.channel_id, interaction: state });
}

/** Read the state of an interaction that was just begun, whose events may have come before its id did. */
export async function begun(store, interactionId) {
  if (!store.interactions.has(interactionId)) {
    const state = await api.get(`/discord/interactions/${interactionId}`);
    // An event that came meanwhile knows better.
    if (!store.interactions.has(interactionId)) store.interactions.set(interactionId, state);
  }
  return store.interactions.get(interactionId);
}
