// What the page knows, and who wants to hear of a change. Views read from here and never from each other.

import { api } from "./api.js";
import { colour } from "./dom.js";

export const THREADS = [10, 11, 12];
export const VOICE = [2, 13];
export const FORUM = 15;
export const CATEGORY = 4;
export const DM = 1;

/** Order snowflakes, which are too long to be numbers. */
export const byId = (a, b) => a.id.length - b.id.length || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

export class Store extends EventTarget {
  me = null; // the person this page is
  people = [];
  guild = null;
  bot = null;
  botOnline = false;
  supervised = false; // whether this sandbox also runs the bot
  channels = new Map(); // what `me` sees, by id
  messages = new Map(); // of the channels that were opened: channel id → Map of messages
  interactions = new Map(); // id → state
  pending = new Map(); // commands of `me` without an answer yet: interaction id → what to show
  clicks = new Map(); // "message/custom_id" → interaction id
  dismissed = new Set(); // private messages put away
  unread = new Map(); // channel id → number of pings, 0 when there is only something new
  newSince = new Map(); // channel id → the first message that came unseen, until the channel is left again
  typing = new Map(); // channel id → Map of user id → when it ends
  channelId = null;
  threadId = null;
  connected = false;

  on(names, hear) {
    for (const name of names.split(" ")) this.addEventListener(name, (event) => hear(event.detail));
  }

  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // --- reading from the sandbox

  async load() {
    const { people } = await api.get("/discord/people");
    this.people = people;
    this.me = people.find((p) => p.name === this.me?.name) ?? people.find((p) => p.name === "mia") ?? people[0];
    await this.loadGuild();
    await this.loadPlaces();
  }

  async loadGuild() {
    const state = await api.get("/discord/state");
    this.bot = state.bot;
    this.botOnline = state.gateway.connections > 0;
    this.guild = state.guilds[0];
    this.emit("guild");
  }

  async loadPlaces() {
    const { places } = await api.get(`/discord/people/${this.me.name}/places`);
    const everyone = this.guild?.id;
    for (const place of places) {
      const overwrite = place.permission_overwrites?.find((o) => o.id === place.guild_id || o.id === everyone);
      place.private = Boolean(overwrite && BigInt(overwrite.deny) & 1024n);
      // The sandbox tells a DM as the bot sees it; from here its other end is the bot.
      if (place.type === DM) Object.assign(place, { name: this.bot.global_name, recipients: [this.bot] });
    }
    this.channels = new Map(places.map((place) => [place.id, place]));
    this.emit("places");
  }

  async loadMessages(channelId) {
    const { messages } = await api.get(`/discord/people/${this.me.name}/channels/${channelId}/messages`);
    this.messages.set(channelId, new Map(messages.map((m) => [m.id, m])));
    this.emit("messages", { channelId });
  }

  // --- who is who

  channel(id = this.channelId) {
    return this.channels.get(id) ?? null;
  }

  member(userId) {
    return this.guild?.members.find((m) => m.user.id === userId) ?? null;
  }

  /** An account by its id: the bot or a person. */
  user(userId) {
    if (userId === this.bot?.id) return this.bot;
    return this.people.find((p) => p.id === userId) ?? this.member(userId)?.user ?? null;
  }

  nameOf(user) {
    const inDm = this.channel()?.type === DM;
    return (!inDm && this.member(user.id)?.nick) || user.global_name || user.username;
  }

  role(roleId) {
    return this.guild?.roles.find((r) => r.id === roleId) ?? null;
  }

  /** The colour of somebody's name: their highest coloured role's. */
  colourOf(userId) {
    const roles = this.guild?.roles.filter((r) => r.color && this.member(userId)?.roles.includes(r.id)) ?? [];
    roles.sort((a, b) => b.position - a.position);
    return roles.length ? colour(roles[0].color) : null;
  }

  avatarOf(user, base = this.avatarBase) {
    return `${base}/avatars/${user.id}/${user.avatar}.png?size=128`;
  }

  get avatarBase() {
    return this.people.length ? new URL(this.people[0].avatar_url).origin : "";
  }

  /** The bot's or my DM channel's other end as seen by `me`. */
  get dm() {
    return [...this.channels.values()].find((c) => c.type === DM) ?? null;
  }

  threadsOf(channelId) {
    return [...this.channels.values()].filter((c) => THREADS.includes(c.type) && c.parent_id === channelId).sort(byId);
  }

  may(permission, channel) {
    return channel?.type === DM || Boolean(channel?.permissions?.includes(permission));
  }

  /** How large a file `me` may send, in bytes. */
  get uploadLimit() {
    const nitro = { 0: 0, 1: 50, 2: 500, 3: 50 }[this.me.premium_type] * 2 ** 20;
    return Math.max(nitro, this.channel()?.type === DM ? 10 * 2 ** 20 : this.guild?.upload_limit ?? 0);
  }

  // --- what is unread

  markRead(channelId) {
    if (this.unread.delete(channelId)) this.emit("unread");
  }

  isLookedAt(channelId) {
    return document.visibilityState === "visible" && [this.channelId, this.threadId].includes(channelId);
  }
}
