// Pictures, videos and files, as attachments and inside components and embeds.

import { fileSize, h, webAddress } from "./dom.js";
import { icon } from "./icons.js";
import { lightbox } from "./overlays.js";

const firstAddress = new Map();

/** Keep a file's first address while it is good: it is signed anew each time it is told, and would load again. */
export function steady(url) {
  const parts = new URL(url, location.href);
  const expires = Number.parseInt(parts.searchParams.get("ex") ?? "", 16) * 1000;
  const known = firstAddress.get(parts.pathname);
  if (known && known.expires > Date.now()) return known.url;
  if (expires) firstAddress.set(parts.pathname, { url, expires });
  return url;
}

/** Scale a size down to fit into another, never up. */
export function fitted(width, height, most) {
  const scale = Math.min(1, most.width / width, most.height / height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

const kindOf = (file) => (file.content_type ?? "").split("/")[0];
export const isImage = (file) => kindOf(file) === "image" && !/hei[cf]/.test(file.content_type);
export const isVideo = (file) => kindOf(file) === "video";

/** Show a message's attachments: pictures and videos first, side by side when there are several. */
export function attachments(files) {
  if (!files.length) return null;
  const seen = files.filter((f) => isImage(f) || isVideo(f));
  const rest = files.filter((f) => !seen.includes(f));
  const shown = seen.length > 1 ? gallery(seen.map((file) => ({ file }))) : seen.map((f) => single(f));
  return h("div", { class: "attachments" }, shown, rest.map(fileCard));
}

function single(file) {
  return isVideo(file) ? video(file) : picture(file, { width: 550, height: 350 });
}

/** Show several pictures and videos as a mosaic; items are { file, description, spoiler }. */
export function gallery(items) {
  const tiles = items.map(({ file, description, spoiler }) => {
    const tile = isVideo(file) ? video(file, null) : picture({ ...file, description: description ?? file.description }, null);
    return h("div", { class: "tile" }, spoiler ? covered(tile) : tile);
  });
  return h("div", { class: `mosaic mosaic-${Math.min(items.length, 10)}` }, tiles);
}

/** Show a picture that opens large; `most` is its box, null fills its place. */
export function picture(file, most) {
  const address = webAddress(file.url);
  if (!address) return null;
  const name = file.description || file.filename || "Image";
  const size = most && file.width ? fitted(file.width, file.height, most) : {};
  const image = h("img", { src: steady(address), alt: file.description ?? "", loading: "lazy", ...size });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "broken" }, icon("alert", 16), ` ${name} cannot be shown`)));
  const open = () => lightbox(steady(address), name);
  const button = h("button", { type: "button", class: "picture", "aria-label": `Open image: ${name}`, onclick: open }, image);
  return file.flags & 8 ? covered(button) : button;
}

/** Hide something until it is asked for. */
function covered(content) {
  const cover = h("button", { type: "button", class: "cover", onclick: () => cover.remove() }, "Spoiler");
  return h("div", { class: "covered" }, content, cover);
}

/** Show a video that plays right here. */
export function video(file, most = { width: 550, height: 350 }) {
  const address = webAddress(file.url);
  const size = most && file.width ? fitted(file.width, file.height, most) : {};
  const player = h("video", { src: steady(address), preload: "metadata", playsinline: true, crossorigin: "anonymous", ...size });
  const frame = h("div", { class: "video", style: size.width ? { "max-width": `${size.width}px` } : {} }, player);
  const begin = h("button", { type: "button", class: "play", "aria-label": `Play video ${file.filename ?? ""}`.trim() }, icon("play", 28));
  begin.addEventListener("click", () => {
    begin.remove();
    player.controls = true;
    player.focus({ preventScroll: true });
    player.play().catch(() => {});
  });
  player.addEventListener("error", () => frame.replaceChildren(h("span", { class: "broken" }, icon("alert", 16), " This video cannot be shown")));
  frame.append(begin, downloadLink(file));
  return frame;
}

function downloadLink(file) {
  return h(
    "a",
    { class: "media-download", href: steady(file.url), download: file.filename ?? "", "aria-label": `Download ${file.filename ?? "file"}`, title: "Download" },
    icon("download", 18),
  );
}

/** Show a file that is neither. */
export function fileCard(file) {
  const link = h("a", { href: steady(file.url), download: file.filename, class: "file-name" }, file.filename);
  const about = h("div", { class: "file-about" }, link, h("span", { class: "file-size" }, fileSize(file.size ?? 0)));
  return h("div", { class: "file-card" }, icon("file", 32), about, downloadLink(file));
}
