// What lies above the page for a while: dialogs, menus, popovers, the lightbox, and short notices.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const layer = () => document.getElementById("overlays");

/** Open a dialog; focus stays inside until it closes, then returns. Gives { element, close }. */
export function dialog(content, { label, kind = "", onClose } = {}) {
  const element = h("dialog", { class: `dialog ${kind}`, "aria-label": label });
  const close = () => element.close();
  fill(element, typeof content === "function" ? content(close) : content);
  element.addEventListener("close", () => {
    element.remove();
    onClose?.();
  });
  // A click beside it closes it, as long as it also began there.
  let outside = false;
  element.addEventListener("pointerdown", (event) => (outside = event.target === element));
  element.addEventListener("click", (event) => outside && event.target === element && close());
  layer().append(element);
  element.showModal();
  return { element, close };
}

/** Show a picture large. */
export function lightbox(address, name) {
  const image = h("img", { src: address, alt: name });
  const link = h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, "Open in Browser");
  dialog(
    (close) => [
      h("div", { class: "lightbox-picture", onclick: (event) => event.target !== image && close() }, image),
      h("div", { class: "lightbox-bar" }, h("span", {}, name), link),
      h("button", { type: "button", class: "icon-button lightbox-close", "aria-label": "Close image", onclick: close }, icon("close", 28)),
    ],
    { label: `Image: ${name}`, kind: "lightbox" },
  );
}

/** Say something short at the bottom of the page. */
export function toast(words, kind = "") {
  const box = document.getElementById("toasts");
  const note = h("div", { class: `toast ${kind}` }, words);
  box.append(note);
  setTimeout(() => note.remove(), 5000);
}

/** Say that something was refused, as a dialog with one button. */
export function alertDialog(title, words) {
  dialog(
    (close) => [
      h("h2", {}, title),
      h("p", {}, words),
      h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button button-primary", onclick: close, autofocus: true }, "Okay")),
    ],
    { label: title, kind: "alert" },
  );
}

/** Open something under (or above) an element until a click elsewhere or Escape; arrows move within it. */
export function popover(anchor, build, { onClose, width = true, at } = {}) {
  const returnTo = document.activeElement;
  const element = h("div", { class: "popover" });
  const close = ({ refocus = true } = {}) => {
    if (!element.isConnected) return;
    const inside = element.contains(document.activeElement);
    element.remove();
    document.removeEventListener("pointerdown", elsewhere, true);
    if (refocus && inside) returnTo?.focus({ preventScroll: true });
    onClose?.();
  };
  const elsewhere = (event) => !element.contains(event.target) && !event.target.closest?.(".popover") && close({ refocus: false });
  element.append(build(close));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else moveWithin(element, event);
  });
  // Inside a dialog the page below is out of reach.
  (anchor.closest("dialog") ?? layer()).append(element);
  place(element, at ?? anchor.getBoundingClientRect(), width && !at);
  document.addEventListener("pointerdown", elsewhere, true);
  const first = element.querySelector('[aria-selected="true"], [aria-checked="true"]') ?? element.querySelector("[role=option], [role^=menuitem], button, input");
  first?.focus({ preventScroll: true });
  return close;
}

/** Let arrow keys, Home and End move the focus among the items of a list or menu, Enter and Space use one. */
export function moveWithin(element, event) {
  const items = [...element.querySelectorAll("[role=option], [role^=menuitem]")].filter((i) => i.closest("[role=listbox], [role=menu]") && i.offsetParent);
  const here = items.indexOf(document.activeElement);
  const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to !== undefined && items.length) {
    event.preventDefault();
    items[(to + items.length) % items.length].focus();
  } else if (["Enter", " "].includes(event.key) && here >= 0) {
    event.preventDefault();
    items[here].click();
  }
}

function place(element, box, sameWidth) {
  if (sameWidth) element.style.minWidth = `${box.width}px`;
  const { width, height } = element.getBoundingClientRect();
  const below = box.bottom + 4 + height <= innerHeight || box.top < height;
  element.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
  element.style.top = `${Math.max(8, Math.min(below ? box.bottom + 4 : box.top - height - 4, innerHeight - height - 8))}px`;
}

/** Open a menu at a place: entries are { label, note, icon, run, danger, items }, null is a line between. */
export function menu(anchor, entries, { at, label, onClose } = {}) {
  popover(anchor, (close) => menuList(entries, label, close), { at, width: false, onClose });
}

function menuList(entries, label, close) {
  return h("ul", { role: "menu", class: "menu", "aria-label": label }, entries.map((entry) => (entry ? menuItem(entry, close) : h("li", { role: "separator" }))));
}

function menuItem(entry, close) {
  const item = h("li", { role: "menuitem", tabindex: -1, class: entry.danger ? "menu-item danger" : "menu-item" }, h("span", { class: "menu-label" }, entry.label, entry.note && h("span", { class: "menu-note" }, entry.note)), entry.items ? icon("right", 16) : entry.icon && icon(entry.icon, 18));
  if (!entry.items) {
    item.addEventListener("click", () => {
      close();
      entry.run();
    });
    return item;
  }
  item.setAttribute("aria-haspopup", "menu");
  const open = () => popover(item, (closeSub) => menuList(entry.items, entry.label, () => {
    closeSub();
    close();
  }), { width: false, at: beside(item) });
  item.addEventListener("click", open);
  item.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight") return;
    event.preventDefault();
    open();
  });
  return item;
}

function beside(item) {
  const box = item.getBoundingClientRect();
  const left = box.right + 180 > innerWidth ? box.left - 190 : box.right + 4;
  return { left, top: box.top, bottom: box.top - 4, width: 0 };
}
