// Embeds: https://docs.discord.com/developers/resources/message#embed-object

import { colour, h, outsideLink, webAddress } from "./dom.js";
import { inlineMarkdown, markdown } from "./markdown.js";
import { picture, steady } from "./media.js";
import { messageTime } from "./time.js";

/** Show one embed. */
export function embed(data, names) {
  const bar = colour(data.color);
  const parts = [
    data.author && author(data.author),
    data.title && h("div", { class: "embed-title" }, title(data, names)),
    data.description && h("div", { class: "embed-description markdown" }, markdown(data.description, names)),
    data.fields?.length > 0 && fields(data.fields, names),
    data.image && picture({ filename: "embed", ...data.image }, { width: 400, height: 300 }),
    footer(data),
  ];
  const thumbnail = data.thumbnail && picture({ filename: "thumbnail", ...data.thumbnail }, { width: 80, height: 80 });
  return h(
    "article",
    { class: "embed", style: bar ? { "--bar": bar } : {}, "aria-label": data.title ? "Embed" : null },
    h("div", { class: thumbnail ? "embed-grid with-thumbnail" : "embed-grid" }, h("div", { class: "embed-parts" }, parts.filter(Boolean)), thumbnail),
  );
}

function title(data, names) {
  const words = inlineMarkdown(data.title, names);
  return data.url ? outsideLink(data.url, words) : words;
}

function author(data) {
  const face = data.icon_url && webAddress(data.icon_url) && h("img", { src: steady(data.icon_url), alt: "", class: "embed-icon" });
  return h("div", { class: "embed-author" }, face, data.url ? outsideLink(data.url, data.name) : data.name);
}

/** Lay fields out as Discord does: up to three inline ones share a row of twelve columns. */
function fields(list, names) {
  const rows = [];
  for (const field of list) {
    const row = rows.at(-1);
    if (field.inline && row?.[0].inline && row.length < 3) row.push(field);
    else rows.push([field]);
  }
  const cells = rows.flatMap((row) => row.map((field) => cell(field, 12 / row.length, names)));
  return h("div", { class: "embed-fields" }, cells);
}

function cell(field, span, names) {
  return h(
    "div",
    { class: "embed-field", style: { "--span": span } },
    h("div", { class: "embed-field-name" }, inlineMarkdown(field.name, names)),
    h("div", { class: "embed-field-value markdown" }, markdown(field.value, names)),
  );
}

function footer(data) {
  if (!data.footer && !data.timestamp) return null;
  const face = data.footer?.icon_url && h("img", { src: steady(data.footer.icon_url), alt: "", class: "embed-icon" });
  const words = [data.footer?.text, data.timestamp && messageTime(data.timestamp)].filter(Boolean).join(" • ");
  return h("div", { class: "embed-footer" }, face, words);
}
