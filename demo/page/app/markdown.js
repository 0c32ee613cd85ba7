// Discord's markdown, turned into elements. https://support.discord.com/hc/articles/210298617
//
// `names` says who is meant: { user(id), role(id), channel(id) } give { name, colour } or null; `names.me` is
// the reader's id, `names.open(channelId)` goes to a channel.

import { h, outsideLink } from "./dom.js";
import { timeMark } from "./time.js";

const FENCE = /```(?:([\w+.#-]+)\n)?\n?([\s\S]*?)\n?```/y;
const HEADING = /(#{1,3}) +(?=\S)/y;
const LIST_ITEM = /^( *)([-*]|\d{1,9}\.) +(.*)$/;

/** Turn text into nodes. */
export function markdown(text, names) {
  return blocks(text, names, false);
}

/** Turn a single line's markup into nodes: no headings, lists or quotes. */
export function inlineMarkdown(text, names) {
  return inline(text, { names });
}

// --- blocks ---------------------------------------------------------------------------------------------------

function blocks(text, names, quoted) {
  const found = [];
  let rest = text;
  while (rest) {
    const [block, length] = nextBlock(rest, names, quoted);
    found.push(...block);
    rest = rest.slice(length);
  }
  return found;
}

/** Take one block off the start of the text: its nodes and how much of the text it was. */
function nextBlock(text, names, quoted) {
  const fence = at(FENCE, text, 0);
  if (fence && fence[2].trim()) return [[codeBlock(fence)], eaten(text, fence[0].length)];
  if (!quoted && text.startsWith(">>> ")) return [[quote(blocks(text.slice(4), names, true))], text.length];
  if (!quoted && /^> /.test(text)) return quoteLines(text, names);
  const heading = at(HEADING, text, 0);
  if (heading) {
    const line = firstLine(text);
    const level = heading[1].length;
    // The page's own headings end at level 3; these come below.
    const words = inline(line.slice(heading[0].length), { names });
    return [[h(`h${level + 3}`, { class: `heading-${level}` }, words)], eaten(text, line.length)];
  }
  if (/^-# +\S/.test(text)) {
    const line = firstLine(text);
    return [[h("small", { class: "subtext" }, inline(line.slice(3).trim(), { names }))], eaten(text, line.length)];
  }
  if (LIST_ITEM.test(firstLine(text))) return list(text, names);
  return paragraph(text, names, quoted);
}

/** Count a block's length with the line break after it, which shows nothing. */
function eaten(text, length) {
  return text[length] === "\n" ? length + 1 : length;
}

function firstLine(text) {
  const end = text.indexOf("\n");
  return end < 0 ? text : text.slice(0, end);
}

function codeBlock([, , code]) {
  return h("pre", { class: "code-block", tabindex: 0 }, h("code", {}, code));
}

function quote(content) {
  return h("blockquote", {}, content);
}

function quoteLines(text, names) {
  const lines = [];
  let length = 0;
  for (const line of text.split("\n")) {
    if (!/^> /.test(line)) break;
    lines.push(line.slice(2));
    length += line.length + 1;
  }
  return [[quote(blocks(lines.join("\n"), names, true))], Math.min(length, text.length)];
}

function list(text, names) {
  const items = [];
  let length = 0;
  for (const line of text.split("\n")) {
    const item = LIST_ITEM.exec(line);
    if (!item) break;
    items.push({ depth: item[1].length, number: Number.parseInt(item[2], 10), words: item[3] });
    length += line.length + 1;
  }
  return [nest(items, names), Math.min(length, text.length)];
}

/** Nest list items by their depth; a change between numbers and bullets begins another list. */
function nest(items, names) {
  const lists = [];
  let i = 0;
  while (i < items.length) {
    const { depth, number, words } = items[i];
    const ordered = !Number.isNaN(number);
    let end = i + 1;
    while (end < items.length && items[end].depth > depth) end += 1;
    const item = h("li", {}, inline(words, { names }), nest(items.slice(i + 1, end), names));
    const last = lists.at(-1);
    if (last?.tagName === (ordered ? "OL" : "UL")) last.append(item);
    else lists.push(h(ordered ? "ol" : "ul", ordered ? { start: number } : {}, item));
    i = end;
  }
  return lists;
}

/** Take lines until another kind of block begins. */
function paragraph(text, names, quoted) {
  const begins = quoted ? /\n(?=#{1,3} +\S|-# +\S| *(?:[-*]|\d{1,9}\.) +\S)|```/g : /\n(?=#{1,3} +\S|-# +\S|>{1} |>>> | *(?:[-*]|\d{1,9}\.) +\S)|```/g;
  begins.lastIndex = 1;
  let end = text.length;
  for (let found = begins.exec(text); found; found = begins.exec(text)) {
    if (found[0] === "```") {
      if (!at(FENCE, text, found.index)?.[2].trim()) continue;
      end = found.index;
    } else end = found.index;
    break;
  }
  return [inline(text.slice(0, end), { names }), eaten(text, end)];
}

// --- inline ---------------------------------------------------------------------------------------------------

function at(pattern, text, index) {
  pattern.lastIndex = index;
  return pattern.exec(text);
}

// In the order in which Discord tries them. Each: what starts it, the pattern, what it becomes.
const RULES = [
  ["\\", /\\([^A-Za-z0-9\s])/y, (m) => m[1]],
  ["`", /(`+)([\s\S]*?[^`])\1(?!`)/y, (m) => h("code", { class: "code" }, trimmedCode(m[2]))],
  ["<", /<t:(-?\d{1,13})(?::([tTdDfFsSR]))?>/y, (m) => timeMark(Number(m[1]), m[2])],
  ["<", /<@!?(\d+)>/y, (m, c) => mention(c.names.user(m[1]), "@", "unknown-user", c.names.me === m[1])],
  ["<", /<@&(\d+)>/y, (m, c) => mention(c.names.role(m[1]), "@", "deleted-role")],
  ["<", /<#(\d+)>/y, (m, c) => channelMention(m[1], c.names)],
  ["<", /<\/([-\w ]+):\d+>/y, (m) => h("span", { class: "mention" }, `/${m[1]}`)],
  ["<", /<a?:(\w+):\d+>/y, (m) => `:${m[1]}:`],
  ["<", /<(https?:\/\/[^\s<>]+)>/y, (m, c) => (c.linked ? m[1] : outsideLink(m[1], m[1]))],
  ["@", /@(everyone|here)\b/y, (m) => h("span", { class: "mention" }, m[0])],
  ["[", /\[((?:\\.|\[[^\]]*\]|[^[\]\\])+)\]\(<?(https?:\/\/(?:[^\s()<>]|\([^\s()<>]*\))+)>?(?: +"[^"]*")?\)/y, masked],
  ["h", /https?:\/\/(?:\([^\s()<]*\)|[^\s<()])*(?:\([^\s()<]*\)|[^\s<.,:;"'\])(])/y, (m, c) => (c.linked ? m[0] : outsideLink(m[0], m[0]))],
  ["|", /\|\|([\s\S]+?)\|\|/y, (m, c) => spoiler(inline(m[1], c))],
  ["*", /\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)/y, (m, c) => h("strong", {}, inline(m[1], c))],
  ["*", /\*(?=\S)((?:\\[\s\S]|\*\*(?:\\[\s\S]|[^\\*])+?\*\*|[^\\*])+?)(?<!\s)\*(?!\*)/y, (m, c) => h("em", {}, inline(m[1], c))],
  ["_", /__((?:\\[\s\S]|[^\\])+?)__(?!_)/y, (m, c) => h("u", {}, inline(m[1], c))],
  ["_", /(?<!\w)_((?:\\[\s\S]|__|[^\\_])+?)_(?!\w)/y, (m, c) => h("em", {}, inline(m[1], c))],
  ["~", /~~([\s\S]+?)~~(?!~)/y, (m, c) => h("s", {}, inline(m[1], c))],
  ["\n", /\n/y, () => h("br")],
];
const SPECIAL = /[\\`<@[|*_~\n]|https?:\/\//g;

function inline(text, context) {
  const found = [];
  let index = 0;
  let plain = "";
  while (index < text.length) {
    const [match, make] = rule(text, index);
    if (match) {
      if (plain) found.push(plain);
      plain = "";
      found.push(make(match, context));
      index += match[0].length;
      continue;
    }
    const next = following(text, index + 1);
    plain += text.slice(index, next);
    index = next;
  }
  if (plain) found.push(plain);
  return found;
}

function rule(text, index) {
  for (const [first, pattern, make] of RULES) {
    if (text[index] !== first) continue;
    const match = at(pattern, text, index);
    if (match) return [match, make];
  }
  return [null, null];
}

/** Find where the next mark might be. */
function following(text, from) {
  SPECIAL.lastIndex = from;
  return SPECIAL.exec(text)?.index ?? text.length;
}

function trimmedCode(code) {
  return /^ .*[^ ].* $/.test(code) && /^ `|` $/.test(code) ? code.slice(1, -1) : code;
}

function mention(target, sign, unknown, mine = false) {
  const style = target?.colour ? { "--mention": target.colour } : {};
  const kind = `mention${target?.colour ? " mention-coloured" : ""}${mine ? " mention-me" : ""}`;
  return h("span", { class: kind, style }, sign + (target?.name ?? unknown));
}

function channelMention(id, names) {
  const channel = names.channel(id);
  if (!channel) return h("span", { class: "mention" }, "# unknown");
  return h("button", { type: "button", class: "mention", onclick: () => names.open(id) }, `# ${channel.name}`);
}

function masked(match, context) {
  // A link that shows another address than it leads to would be a trap; Discord leaves it as text.
  if (/https?:\/\//.test(match[1])) return match[0];
  const link = outsideLink(match[2], inline(match[1], { ...context, linked: true }));
  link.title = match[2];
  return link;
}

function spoiler(content) {
  const inside = h("span", { class: "spoiler-text", "aria-hidden": "true", inert: true }, content);
  const reveal = () => {
    element.classList.add("revealed");
    for (const name of ["role", "tabindex", "aria-label"]) element.removeAttribute(name);
    inside.removeAttribute("aria-hidden");
    inside.removeAttribute("inert");
  };
  const element = h("span", { class: "spoiler", role: "button", tabindex: 0, "aria-label": "Spoiler, reveal" }, inside);
  element.addEventListener("click", reveal);
  element.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && reveal());
  return element;
}
