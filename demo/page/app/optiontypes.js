// What each type of a command's option takes, and how a client checks it before anything is sent.
// https://docs.discord.com/developers/interactions/application-commands#application-command-object-application-command-option-type

import { localName } from "./actions.js";
import { CATEGORY, DM } from "./store.js";

export const STRING = 3;
export const INTEGER = 4;
export const BOOLEAN = 5;
export const USER = 6;
export const CHANNEL = 7;
export const ROLE = 8;
export const MENTIONABLE = 9;
export const NUMBER = 10;
export const ATTACHMENT = 11;

/** List what an option can be chosen from; null when it is typed freely. */
export function choicesOf(option, store) {
  if (option.choices) return option.choices.map((c) => ({ label: localName(c, store), value: c.value }));
  const people = () => (store.guild?.members ?? []).map((m) => ({ label: `@${store.nameOf(m.user)}`, hint: m.user.username, value: m.user.id }));
  const roles = () => (store.guild?.roles ?? []).map((r) => ({ label: `@${r.name.replace("@", "")}`, value: r.id }));
  const channels = () =>
    [...store.channels.values()]
      .filter((c) => (option.channel_types?.length ? option.channel_types.includes(c.type) : ![CATEGORY, DM].includes(c.type)))
      .map((c) => ({ label: `#${c.name}`, value: c.id }));
  const lists = {
    [BOOLEAN]: () => [true, false].map((value) => ({ label: value ? "True" : "False", value })),
    [USER]: people,
    [ROLE]: roles,
    [MENTIONABLE]: () => [...people(), ...roles()],
    [CHANNEL]: channels,
  };
  return lists[option.type]?.() ?? null;
}

/** Check what was entered: { value } to send, or { problem } in words. `chosen` is a picked choice, if any. */
export function check(option, text, chosen, store) {
  if (chosen && chosen.label === text) return { value: chosen.value };
  if (!text.trim()) return option.required ? { problem: "This option is required. Specify a value." } : { value: undefined };
  const choices = option.autocomplete ? null : choicesOf(option, store);
  if (choices) {
    const found = choices.find((c) => c.label.toLowerCase() === text.trim().toLowerCase());
    return found ? { value: found.value } : { problem: "Not a valid choice." };
  }
  return option.type === STRING ? checkText(option, text) : checkNumber(option, text.trim());
}

function checkText(option, text) {
  const [low, high] = [option.min_length ?? 0, option.max_length ?? 6000];
  const length = [...text].length;
  if (length < low) return { problem: `This must be ${low} or more characters.` };
  if (length > high) return { problem: `This must be ${high} or fewer characters; it has ${length}.` };
  return { value: text };
}

function checkNumber(option, text) {
  const whole = option.type === INTEGER;
  const number = Number(text);
  if (!Number.isFinite(number) || (whole && !Number.isInteger(number))) return { problem: whole ? "Not a valid integer." : "Not a valid number." };
  if (Math.abs(number) > 2 ** 53) return { problem: "This number is too large." };
  if (option.min_value !== undefined && number < option.min_value) return { problem: `This must be at least ${option.min_value}.` };
  if (option.max_value !== undefined && number > option.max_value) return { problem: `This must be at most ${option.max_value}.` };
  return { value: number };
}
