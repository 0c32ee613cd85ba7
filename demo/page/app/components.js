// Message components of both kinds. https://docs.discord.com/developers/components/reference

import { colour, h, outsideLink } from "./dom.js";
import { icon } from "./icons.js";
import { markdown } from "./markdown.js";
import { fileCard, gallery, picture } from "./media.js";
import { select } from "./selects.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "primary" };

/**
 * Show components. `context` has `names` for markdown, `store`, and what using one does: `press(component,
 * values?)`; `waiting(component)` tells whether its last use has no answer yet.
 */
export function components(list, context) {
  return list.map((component) => SHOWN[component.type]?.(component, context)).filter(Boolean);
}

const SHOWN = {
  1: (row, context) => h("div", { class: "action-row" }, components(row.components, context)),
  2: button,
  3: select,
  5: select,
  6: select,
  7: select,
  8: select,
  9: section,
  10: (text, { names }) => h("div", { class: "text-display markdown" }, markdown(text.content, names)),
  11: (thumbnail) => picture(media(thumbnail.media, thumbnail), { width: 85, height: 85 }),
  12: ({ items }) => gallery(items.map((item) => ({ file: media(item.media, item), ...item }))),
  13: (file) => fileCard({ filename: file.name, size: file.size, url: file.file.url }),
  14: separator,
  17: container,
};

function media(item, { description }) {
  const filename = new URL(item.url, location.href).pathname.split("/").pop();
  return { content_type: "image/", ...item, filename, description };
}

function button(component, context) {
  const emoji = component.emoji?.name && h("span", { class: "button-emoji" }, component.emoji.name);
  const kind = `button button-${STYLES[component.style] ?? "secondary"}`;
  if (component.style === 5) {
    const link = outsideLink(component.url, emoji, component.label, icon("link", 16));
    link.className = kind;
    return link;
  }
  const waiting = context.waiting(component);
  return h(
    "button",
    {
      type: "button",
      class: `${kind}${waiting ? " waiting" : ""}`,
      disabled: component.disabled || waiting,
      "aria-busy": waiting ? "true" : null,
      dataset: { keep: component.custom_id ?? "" },
      onclick: () => context.press(component),
    },
    waiting ? h("span", { class: "dots" }, h("i"), h("i"), h("i")) : [emoji, component.label],
  );
}

function section(component, context) {
  return h(
    "div",
    { class: "section" },
    h("div", { class: "section-texts" }, components(component.components, context)),
    components([component.accessory], context),
  );
}

function separator({ divider = true, spacing = 1 }) {
  const kind = `separator spacing-${spacing}${divider ? " divider" : ""}`;
  return h(divider ? "hr" : "div", { class: kind });
}

function container(component, context) {
  const bar = colour(component.accent_color);
  const inside = h("div", { class: "container", style: bar ? { "--bar": bar } : {} }, components(component.components, context));
  if (bar) inside.classList.add("accented");
  if (!component.spoiler) return inside;
  const cover = h("button", { type: "button", class: "cover", onclick: () => cover.remove() }, "Spoiler");
  return h("div", { class: "covered" }, inside, cover);
}
