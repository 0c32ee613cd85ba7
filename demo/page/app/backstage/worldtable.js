// The worlds: what the real services may turn out to be, one entry each.
//
// A world has a `name`, a `sentence` that says what is so in it, `set` and `unset`, which make and unmake it, and
// `tell`: whether it is in force by what was `seen` of the control interface; undefined where this sandbox has no
// such thing. To add one, add an entry.

import { api } from "../api.js";

const SEED = "kling-2.5-turbo-i2v";
const API = { side: "discord", path: "^/api/", kind: "html", status: 502, times: 0 };

/** Read all that worlds are told by, as person `name` of the page. */
export async function look(name) {
  const [discord, novita, novitaClock, { faults }, { people }] = await Promise.all([api.get("/discord/state"), api.get("/novita/settings"), api.get("/novita/clock"), api.get("/faults"), api.get("/discord/people")]);
  const me = people.find((person) => person.name === name);
  return { discord, novita, faults, me, ahead: { discord: discord.clock.shift, novita: novitaClock.now - Date.now() / 1000 } };
}

/** A world that is one setting of a side's, which is `normal` otherwise; `is` tells when it counts as set. */
function setting(side, name, sentence, key, set, normal, is = (value) => value === set) {
  const change = (value) => () => api.patch(`/${side}/settings`, { [key]: value });
  const tell = (seen) => {
    const value = (side === "discord" ? seen.discord.settings : seen.novita)[key];
    return value === undefined ? undefined : is(value);
  };
  return { name, sentence, set: change(set), unset: change(normal), tell };
}

/** A world that is a name in a list of Novita's. */
function listed(name, sentence, key, model) {
  const change = (make) => (seen) => api.patch("/novita/settings", { [key]: make(seen.novita[key]) });
  return { name, sentence, set: change((list) => [...list, model]), unset: change((list) => list.filter((one) => one !== model)), tell: (seen) => seen.novita[key]?.includes(model) };
}

/** A world in which every model takes images in one way only. */
function encoding(name, sentence, way) {
  return {
    name,
    sentence: `${sentence} Kinora tries each way until one has worked for a model, and keeps to that.`,
    set: ({ novita }) => api.patch("/novita/settings", { encodings: Object.fromEntries(Object.keys(novita.encodings).map((model) => [model, [way]])) }),
    unset: () => api.patch("/novita/settings", { encodings: {} }),
    tell: ({ novita }) => novita.encodings && Object.values(novita.encodings).every((ways) => ways.length === 1 && ways[0] === way),
  };
}

/** A world in which this person takes no direct messages, each time with another code of Discord's. */
function refusal(name, sentence, code) {
  const change = (value) => ({ me }) => api.patch(`/discord/people/${me.name}`, { dm_refusal: value });
  return { name, sentence, set: change(code), unset: change(null), tell: ({ me }) => me?.dm_refusal === code };
}

export const GROUPS = [
  {
    name: "Novita",
    worlds: [
      listed("2.5 is gone", "The model Kinora was built for answers 404.", "retired", SEED),
      listed("The key may not use 2.5", "Orders of that model are refused with 403; others are taken.", "forbidden_models", SEED),
      setting("novita", "The key may not see the balance", "The balance page answers 403.", "balance_forbidden", true, false),
      encoding("Images as plain base64 only", "Data URIs and addresses are refused.", "base64"),
      encoding("Images as data URIs only", "Plain base64 and addresses are refused.", "data_uri"),
      encoding("Images as addresses only", "Novita fetches the image itself; anything else is refused.", "url"),
      setting("novita", "cfg_scale is refused", "An order to a model of generation 2 may not name it.", "refuse_cfg_scale", true, false),
      setting("novita", "Novita's edge answers", "Every request gets a page with 502 and never reaches Novita.", "edge_status", 502, null, (value) => value !== null),
      setting("novita", "Links to videos are plain", "They hold no escape, so that even a rewritten link works.", "escaped_links", false, true),
    ],
  },
  {
    name: "Discord",
    worlds: [
      { name: "Added without its bot", sentence: "The commands are there; the bot is not, and may post nowhere.", set: () => api.delete("/discord/guild/bot?commands=1"), unset: () => api.post("/discord/guild/bot"), tell: ({ discord: { guilds: [guild] } }) => !guild.bot_is_member && guild.commands_only },
      setting("discord", "Private threads promise too much", "A command there says that Kinora may post, though nobody invited it.", "favourable_app_permissions", true, false),
      setting("discord", "Old messages take one edit in 6 s", "More edits of what is older than an hour get 429 with code 30046; usually three are taken.", "old_edits", 1, 3),
      { name: "Discord's edge answers", sentence: "Every request to the API gets a page with 502 and never reaches Discord.", set: () => api.post("/faults", API), unset: (seen) => Promise.all(edgeFaults(seen).map(({ id }) => api.delete(`/faults/${id}`))), tell: (seen) => edgeFaults(seen).length > 0 },
      { name: "This address is banned", sentence: "Every request to the API gets Cloudflare's page 1015, for ten minutes of Discord's clock.", set: () => api.post("/discord/ban", { seconds: 600 }), unset: () => api.post("/discord/ban", { seconds: 0 }), tell: ({ discord }) => discord.banned_for > 0 },
      setting("discord", "Three wrong requests are a ban", "The third answer of 401, 403 or 429 within ten minutes bans this address for an hour.", "invalid_request_limit", 3, 10_000, (value) => value < 10_000),
      setting("discord", "No session start is left", "When the bot starts once more, Discord voids its token.", "sessions_remaining", 0, 1000, (value) => value === 0),
      setting("discord", "Links to attachments hold an escape", "Whoever rewrites such a link breaks its signature.", "escaped_links", true, false),
    ],
  },
  {
    name: "Your direct messages",
    worlds: [
      refusal("Closed", "You take no direct messages, or have blocked Kinora (50007).", 50007),
      refusal("No server in common", "Discord says that you and Kinora share none (50278).", 50278),
      refusal("Opened too fast", "Discord lets Kinora open no conversation with you for now (40003).", 40003),
    ],
  },
];

function edgeFaults({ faults }) {
  return faults.filter((fault) => fault.kind === API.kind && fault.side === API.side && fault.path === API.path);
}

// Whose clock it is, and the steps that it can be moved by, in seconds.
export const CLOCKS = [
  { name: "Discord's clock", side: "discord", about: "tokens of interactions, signed links, nonces, the age of messages" },
  { name: "Novita's clock", side: "novita", about: "renders, links to videos, how long a task is known" },
];
export const STEPS = [
  ["15 minutes later", 900],
  ["2 hours later", 7200],
  ["A day later", 86_400],
];
