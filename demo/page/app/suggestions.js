// The list above the composer: commands, options, choices. The focus stays where one types.

import { fill, h } from "./dom.js";

export class Suggestions {
  constructor(id) {
    this.id = id;
    this.items = [];
    this.list = h("ul", { role: "listbox", id, class: "suggestion-list", "aria-label": "Suggestions" });
    this.head = h("div", { class: "suggestion-head" });
    this.element = h("div", { class: "suggestions", hidden: true }, this.head, this.list);
  }

  get open() {
    return !this.element.hidden;
  }

  /** Show entries { label, hint, about, side, image }; `title` and `about` stand above; `onPick` gets the entry. */
  show(entries, { title, about = "", problem = false, onPick, owner, pickFirst = true }) {
    this.onPick = onPick;
    this.owner?.setAttribute("aria-expanded", "false");
    this.owner = owner;
    this.entries = entries;
    fill(this.head, h("strong", {}, title), about && h("span", { class: problem ? "suggestion-problem" : "suggestion-about" }, about));
    this.items = entries.map((entry, index) => this.item(entry, index));
    fill(this.list, this.items);
    this.list.hidden = !entries.length;
    this.element.hidden = false;
    owner?.setAttribute("aria-expanded", String(entries.length > 0));
    owner?.setAttribute("aria-controls", this.id);
    this.mark(pickFirst && entries.length ? 0 : -1);
  }

  item(entry, index) {
    const item = h(
      "li",
      { role: "option", id: `${this.id}-${index}`, class: "suggestion", "aria-selected": "false" },
      entry.image && h("img", { src: entry.image, alt: "", width: 32, height: 32 }),
      h("div", { class: "suggestion-words" }, h("div", {}, h("span", { class: "suggestion-label" }, entry.label), entry.hint && h("span", { class: "suggestion-hint" }, entry.hint)), entry.about && h("div", { class: "suggestion-note" }, entry.about)),
      entry.side && h("span", { class: "suggestion-side" }, entry.side),
    );
    // Pressing must not take the focus from where one types.
    item.addEventListener("pointerdown", (event) => event.preventDefault());
    item.addEventListener("click", () => this.onPick(entry));
    item.addEventListener("pointermove", () => this.mark(index));
    return item;
  }

  mark(index) {
    this.marked = index;
    this.items.forEach((item, n) => item.setAttribute("aria-selected", String(n === index)));
    this.items[index]?.scrollIntoView({ block: "nearest" });
    if (index >= 0) this.owner.setAttribute("aria-activedescendant", `${this.id}-${index}`);
    else this.owner.removeAttribute("aria-activedescendant");
  }

  hide() {
    this.element.hidden = true;
    this.items = [];
    this.owner?.setAttribute("aria-expanded", "false");
    this.owner?.removeAttribute("aria-activedescendant");
  }

  /** Use a key pressed where one types; true when it was used. */
  key(event) {
    if (!this.open || event.isComposing) return false;
    const count = this.items.length;
    if (event.key === "Escape") this.hide();
    else if (count && event.key === "ArrowDown") this.mark((this.marked + 1) % count);
    else if (count && event.key === "ArrowUp") this.mark((this.marked - 1 + count) % count);
    else if (["Enter", "Tab"].includes(event.key) && !event.shiftKey && this.marked >= 0 && count) this.pick();
    else return false;
    event.preventDefault();
    return true;
  }

  /** Take the marked entry, if there is one. */
  pick() {
    if (this.open && this.items.length && this.marked >= 0) this.onPick(this.entries[this.marked]);
  }
}
