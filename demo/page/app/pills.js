// The pills of a command's options. A pill has: focus(), filled(), check(), complain(problem), remove().

import { api } from "./api.js";
import { localDescription, localName } from "./actions.js";
import { fileSize, fill, h, soon } from "./dom.js";
import { icon } from "./icons.js";
import { begun } from "./live.js";
import { check, choicesOf } from "./optiontypes.js";

const MOST_SUGGESTED = 25;

/** An option that is typed, or chosen from a list. */
export class TextPill {
  constructor(form, option) {
    Object.assign(this, { form, option });
    this.chosen = null;
    this.problem = "";
    const name = localName(option, form.store);
    this.field = h("span", { class: "pill-field", contenteditable: "plaintext-only", role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": form.link.suggestions.id, "aria-label": `${name}: ${localDescription(option, form.store)}`, "aria-required": option.required ? "true" : null, spellcheck: "false", tabindex: 0 });
    if (this.field.contentEditable !== "plaintext-only") this.field.contentEditable = "true";
    this.element = h("span", { class: "pill", onclick: () => this.focus() }, h("span", { class: "pill-name" }, name), this.field);
    this.field.addEventListener("input", () => this.typed());
    this.field.addEventListener("focus", () => this.suggest());
    this.field.addEventListener("blur", () => this.left());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("paste", (event) => this.pasted(event));
    this.complete = soon((text) => this.askBot(text), 250);
  }

  text() {
    return this.field.textContent.replaceAll("\n", " ").replaceAll("\u00a0", " ");
  }

  setText(text) {
    this.field.textContent = text;
  }

  filled() {
    return Boolean(this.text());
  }

  focus() {
    if (document.activeElement !== this.field) this.field.focus();
    const caret = document.createRange();
    caret.selectNodeContents(this.field);
    caret.collapse(false);
    getSelection().removeAllRanges();
    getSelection().addRange(caret);
  }

  remove() {
    this.element.remove();
  }

  check() {
    return check(this.option, this.text(), this.chosen, this.form.store);
  }

  complain(problem = "") {
    this.problem = problem;
    this.element.classList.toggle("wrong", Boolean(problem));
    this.field.setAttribute("aria-invalid", String(Boolean(problem)));
    if (document.activeElement === this.field) this.suggest();
  }

  typed() {
    if (this.problem) this.complain("");
    this.suggest();
  }

  left() {
    if (this.filled()) this.complain(this.check().problem);
    setTimeout(() => this.form.link.suggestions.owner === this.field && document.activeElement !== this.field && this.form.link.suggestions.hide(), 100);
  }

  suggest() {
    const text = this.text();
    if (this.option.autocomplete) {
      this.show([]);
      this.complete(text);
      return;
    }
    const wanted = text.trim().toLowerCase().replace(/^[@#]/, "");
    const all = choicesOf(this.option, this.form.store) ?? [];
    const exact = all.some((c) => c.label === text);
    this.show(exact ? all : all.filter((c) => `${c.label} ${c.hint ?? ""}`.toLowerCase().includes(wanted)), !exact);
  }

  show(entries, pickFirst = true, problem = this.problem) {
    const { store, link } = this.form;
    link.suggestions.show(entries.slice(0, MOST_SUGGESTED), {
      title: localName(this.option, store),
      about: problem || localDescription(this.option, store),
      problem: Boolean(problem),
      owner: this.field,
      pickFirst,
      onPick: (choice) => this.choose(choice),
    });
  }

  async askBot(text) {
    const { store, entry, link } = this.form;
    const body = { person: store.me.name, channel: link.channel().id, command: entry.path, focused: this.option.name, options: { ...this.form.entered(), [this.option.name]: text } };
    const { interaction_id: id } = await api.post("/discord/autocomplete", body);
    await begun(store, id);
    const hear = () => {
      const state = store.interactions.get(id);
      if (!state.choices && !state.failed) return;
      store.removeEventListener("interaction", hear);
      if (document.activeElement !== this.field || this.text() !== text) return;
      if (state.failed) this.show([], false, "Loading options failed.");
      else this.show(state.choices.map((c) => ({ label: localName(c, store), value: c.value })));
    };
    store.addEventListener("interaction", hear);
    hear();
  }

  choose(choice) {
    this.chosen = choice;
    this.setText(choice.label);
    this.complain("");
    this.form.link.suggestions.hide();
    const next = this.form.pills.find((pill) => !pill.filled());
    if (next) next.focus();
    else this.focus();
    if (!next) this.form.link.suggestions.hide();
  }

  pasted(event) {
    event.preventDefault();
    event.stopPropagation();
    const files = [...event.clipboardData.files];
    if (files.length && this.form.giveFile(files[0])) return;
    document.execCommand("insertText", false, event.clipboardData.getData("text/plain").replaceAll(/\s*\n\s*/g, " "));
  }

  key(event) {
    const { suggestions, cancel } = this.form.link;
    if (event.isComposing) return;
    const empty = !this.filled();
    if (event.key === "Escape" && (!suggestions.open || !suggestions.items.length)) {
      event.preventDefault();
      cancel();
    } else if (suggestions.key(event)) return;
    else if (event.key === "Enter") {
      event.preventDefault();
      this.form.submit();
    } else if (event.key === "Backspace" && empty) {
      event.preventDefault();
      this.form.back(this);
    }
  }
}

/** An option that is a file. */
export class FilePill {
  isFile = true;

  constructor(form, option) {
    Object.assign(this, { form, option });
    this.file = null;
    const name = localName(option, form.store);
    this.picker = h("input", { type: "file", hidden: true, tabindex: -1, "aria-hidden": "true" });
    this.picker.addEventListener("change", () => this.picker.files[0] && this.set(this.picker.files[0]));
    this.button = h("button", { type: "button", class: "pill-field pill-file", onclick: () => this.picker.click() });
    this.element = h("span", { class: "pill" }, h("span", { class: "pill-name" }, name), this.button, this.picker);
    this.zone = h("button", { type: "button", class: "dropzone", tabindex: -1, onclick: () => this.picker.click() });
    this.zoneItem = h("div", { class: "dropzone-item" }, this.zone);
    form.dropzone.append(this.zoneItem);
    this.button.addEventListener("focus", () => this.suggest());
    this.button.addEventListener("keydown", (event) => this.key(event));
    this.show();
  }

  filled() {
    return Boolean(this.file);
  }

  focus() {
    this.button.focus();
  }

  remove() {
    this.element.remove();
    this.zoneItem.remove();
  }

  /** Whether a point of the window is on this option's place for files. */
  covers({ x, y }) {
    const box = this.zone.getBoundingClientRect();
    return x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
  }

  set(file) {
    if (this.form.link.tooLarge(file)) return;
    this.file = file;
    this.complain("");
    this.show();
    this.form.focus();
  }

  check() {
    return this.file || !this.option.required ? { value: this.file ?? undefined } : { problem: "This option is required. Specify a value." };
  }

  complain(problem = "") {
    this.problem = problem;
    for (const element of [this.element, this.zone]) element.classList.toggle("wrong", Boolean(problem));
    if (document.activeElement === this.button) this.suggest();
  }

  suggest() {
    const { store, link } = this.form;
    link.suggestions.show([], { title: localName(this.option, store), about: this.problem || localDescription(this.option, store), problem: Boolean(this.problem), owner: this.button });
  }

  show() {
    const name = localName(this.option, this.form.store);
    fill(this.button, this.file ? this.file.name : "Choose a file");
    this.button.setAttribute("aria-label", this.file ? `${name}: ${this.file.name}, choose another file` : `${name}: choose a file`);
    this.zone.classList.toggle("filled", Boolean(this.file));
    this.zone.setAttribute("aria-label", `${name}: ${this.file ? this.file.name : "drop a file, or click to upload"}`);
    fill(this.zone, this.file ? this.filledZone() : [h("strong", {}, name, this.option.required ? "" : " (optional)"), icon("upload", 34), h("span", {}, "Drag and drop or click to upload file")]);
    const remove = h("button", { type: "button", class: "icon-button dropzone-remove", "aria-label": `Remove ${this.file?.name}`, onclick: () => this.clear() }, icon("trash", 18));
    fill(this.zoneItem, this.zone, this.file && remove);
  }

  filledZone() {
    const image = this.file.type.startsWith("image/") && h("img", { src: URL.createObjectURL(this.file), alt: "" });
    if (image) image.addEventListener("error", () => image.replaceWith(icon("file", 48)));
    return [image || icon("file", 48), h("span", { class: "upload-name" }, this.file.name), h("span", { class: "upload-size" }, fileSize(this.file.size))];
  }

  clear() {
    this.file = null;
    this.picker.value = "";
    this.show();
    this.focus();
  }

  key(event) {
    if (event.key === "Backspace") {
      event.preventDefault();
      if (this.file) this.clear();
      else this.form.back(this);
    } else if (event.key === "Escape") this.form.link.cancel();
    else if (event.key === "Enter" && this.file) {
      event.preventDefault();
      this.form.submit();
    }
  }
}
