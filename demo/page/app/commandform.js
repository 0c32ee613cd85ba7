// A slash command being filled in: its name, a pill for each option, and a place to drop its file.

import { localDescription, localName } from "./actions.js";
import { h } from "./dom.js";
import { ATTACHMENT } from "./optiontypes.js";
import { menu } from "./overlays.js";
import { FilePill, TextPill } from "./pills.js";

export class CommandForm {
  constructor(store, entry, link) {
    Object.assign(this, { store, entry, link });
    this.pills = [];
    this.more = h("button", { type: "button", class: "pill-more", "aria-haspopup": "menu", onclick: () => this.offerMore(), onkeydown: (event) => this.moreKey(event) });
    this.row = h("span", { class: "pills" });
    this.element = h("div", { class: "command-form", role: "group", tabindex: -1, "aria-label": `Command ${entry.words}`, onkeydown: (event) => this.key(event) }, h("span", { class: "command-name" }, `/${entry.words}`), this.row, this.more);
    this.dropzone = h("div", { class: "dropzones" });
    for (const option of entry.options) if (option.required) this.add(option);
    this.showMore();
  }

  remove() {
    this.element.remove();
    this.dropzone.remove();
  }

  focus() {
    const first = this.pills.find((pill) => !pill.filled()) ?? this.pills[0];
    if (first) first.focus();
    else if (!this.more.hidden) this.more.focus();
    else this.element.focus();
  }

  /** Take keys where there is no option to take them. */
  key(event) {
    if (event.target !== this.element) return;
    if (event.key === "Enter") this.submit();
    else if (["Escape", "Backspace"].includes(event.key)) this.link.cancel();
    else return;
    event.preventDefault();
  }

  // --- options

  add(option) {
    const pill = option.type === ATTACHMENT ? new FilePill(this, option) : new TextPill(this, option);
    this.pills.push(pill);
    this.row.append(pill.element);
    this.showMore();
    return pill;
  }

  drop(pill) {
    this.pills = this.pills.filter((p) => p !== pill);
    pill.remove();
    this.showMore();
  }

  unused() {
    return this.entry.options.filter((option) => !this.pills.some((pill) => pill.option === option));
  }

  showMore() {
    const count = this.unused().length;
    this.more.hidden = !count;
    this.more.textContent = `+${count} more`;
    this.more.setAttribute("aria-label", `${count} more option${count === 1 ? "" : "s"}`);
  }

  offerMore() {
    this.link.suggestions.hide();
    const entries = this.unused().map((option) => ({
      label: localName(option, this.store),
      note: localDescription(option, this.store),
      run: () => this.add(option).focus(),
    }));
    menu(this.more, entries, { label: "More options" });
  }

  moreKey(event) {
    if (event.key === "Enter" && !this.pills.length) this.submit();
    else if (event.key === "Backspace" || event.key === "ArrowLeft") this.pills.at(-1)?.focus();
    else if (event.key === "Escape") this.link.cancel();
    else return;
    event.preventDefault();
  }

  /** The name of the option that the next file goes to, if there is one. */
  get attachmentName() {
    return this.filePill()?.option.name ?? this.entry.options.find((o) => o.type === ATTACHMENT)?.name;
  }

  filePill() {
    return this.pills.find((p) => p.isFile && !p.file) ?? this.pills.find((p) => p.isFile);
  }

  /** Hand a file to the option that it was dropped on, or to the first that wants one; false when none does. */
  giveFile(file, at) {
    const under = at && this.pills.find((p) => p.isFile && p.covers(at));
    const option = this.unused().find((o) => o.type === ATTACHMENT);
    const pill = under ?? this.filePill() ?? (option && this.add(option));
    pill?.set(file);
    return Boolean(pill);
  }

  /** Hand out several files: the first as above, the others to options that have none yet. */
  giveFiles([first, ...others], at) {
    const taken = this.giveFile(first, at);
    for (const file of others) {
      const option = this.unused().find((o) => o.type === ATTACHMENT);
      const pill = this.pills.find((p) => p.isFile && !p.file) ?? (option && this.add(option));
      pill?.set(file);
    }
    return taken;
  }

  setText(name, text) {
    this.pills.find((p) => p.option.name === name)?.setText(text);
  }

  // --- keys that all pills share

  step(pill, by) {
    const to = this.pills[this.pills.indexOf(pill) + by];
    if (to) to.focus();
    else if (by > 0 && !this.more.hidden) this.more.focus();
  }

  back(pill) {
    const before = this.pills[this.pills.indexOf(pill) - 1];
    if (!pill.option.required) this.drop(pill);
    if (before) before.focus();
    else if (pill.option.required) this.link.cancel(`/${this.entry.words}`);
    else this.focus();
  }

  // --- sending

  submit() {
    const values = {};
    const files = {};
    let wrong = null;
    for (const pill of this.pills) {
      const { value, problem } = pill.check();
      pill.complain(problem);
      if (problem) wrong ??= pill;
      else if (pill.isFile && value) files[pill.option.name] = value;
      else if (value !== undefined) values[pill.option.name] = value;
    }
    if (wrong) wrong.focus();
    else this.link.run(values, files);
  }

  /** What was entered so far, for completions. */
  entered() {
    const given = this.pills.filter((p) => !p.isFile && p.text()).map((p) => [p.option.name, p.check().value ?? p.text()]);
    return Object.fromEntries(given);
  }
}
