// The bot's modals: forms that it answers an interaction with.

import { api } from "./api.js";
import { fileSize, freshId, h } from "./dom.js";
import { icon } from "./icons.js";
import { begun } from "./live.js";
import { markdown } from "./markdown.js";
import { dialog } from "./overlays.js";
import { initial, selectMenu } from "./selects.js";

const TEXT_INPUT = 4;
const PARAGRAPH = 2;
const SELECTS = [3, 5, 6, 7, 8];
const FILE_UPLOAD = 19;
const FOCUSABLE = "input:not([hidden]), textarea, button";

/** Open every modal that this person is answered with. */
export function modals(store, names) {
  const seen = new Set();
  store.on("interaction", (state) => {
    if (!state.modal || state.person !== store.me.name || seen.has(state.interaction_id)) return;
    seen.add(state.interaction_id);
    open(state, store, names);
  });
}

function open(state, store, names) {
  const { modal } = state;
  const fields = modal.components.flatMap((component) => field(component, store, names));
  fields.map((f) => f.element.querySelector(FOCUSABLE)).find(Boolean)?.setAttribute("autofocus", "");
  const problem = h("p", { class: "form-problem", role: "alert" });
  const send = h("button", { type: "submit", class: "button button-primary" }, "Submit");

  const submit = async (event, close) => {
    event.preventDefault();
    const [wrong] = fields.filter((f) => f.complain?.());
    if (wrong) {
      wrong.element.querySelector(FOCUSABLE).focus();
      return;
    }
    send.disabled = true;
    const values = {};
    const files = {};
    for (const { id, read } of fields) {
      if (!id) continue;
      const value = read();
      if (value?.[0] instanceof File) value.forEach((file, n) => (files[n ? `${id}/${n}` : id] = file));
      else if (value !== undefined) values[id] = value;
    }
    try {
      const { interaction_id: next } = await api.upload("/discord/submit", { person: store.me.name, interaction: state.interaction_id, fields: values }, files);
      await outcome(store, next);
      close();
    } catch (refused) {
      problem.textContent = refused.message;
      send.disabled = false;
    }
  };

  dialog(
    (close) =>
      h(
        "form",
        { class: "modal-form", novalidate: true, onsubmit: (event) => submit(event, close) },
        h("header", { class: "modal-head" }, h("img", { src: store.avatarOf(store.bot), alt: "", width: 32, height: 32 }), h("h2", {}, modal.title), h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: close }, icon("close", 20))),
        h("div", { class: "modal-fields" }, h("p", { class: "modal-note" }, icon("alert", 16), ` This form will be submitted to ${store.bot.global_name}. Do not share passwords or other sensitive information.`), fields.map((f) => f.element), problem),
        h("footer", { class: "dialog-buttons" }, h("button", { type: "button", class: "button button-secondary", onclick: close }, "Cancel"), send),
      ),
    { label: modal.title, kind: "modal" },
  );
}

/** Wait until the submission is answered; throw what the client says when it is not. */
async function outcome(store, id) {
  let state = await begun(store, id);
  while (!state.acknowledged && !state.failed) {
    await new Promise((done) => store.addEventListener("interaction", done, { once: true }));
    state = store.interactions.get(id);
  }
  if (state.failed) throw new Error("Something went wrong. Try again.");
}

/** Make a modal's parts: { element, id?, read?, complain? }; complaining tells whether there was reason to. */
function field(component, store, names) {
  if (component.type === 1) return component.components.flatMap((inside) => labelled(inside, { label: inside.label }, store));
  if (component.type === 10) return [{ element: h("div", { class: "markdown modal-text" }, markdown(component.content, names)) }];
  if (component.type === 18) return labelled(component.component, component, store);
  return [];
}

function labelled(component, { label, description }, store) {
  const id = freshId("field");
  const required = component.required ?? true;
  const { element, read } = control(component, id, label, store);
  // Lists and groups carry their own name; a label element needs a field to point at.
  const title = [label, required && h("span", { class: "required", "aria-hidden": "true" }, " *")];
  const head = element.matches("input, textarea") ? h("label", { for: id }, title) : h("span", { class: "label" }, title);
  const problem = h("span", { class: "form-problem", role: "alert" });
  const complain = () => {
    problem.textContent = whatIsWrong(component, required, read());
    return Boolean(problem.textContent);
  };
  const shown = h("div", { class: "field" }, head, description && h("span", { class: "field-note" }, description), element, problem);
  return [{ id: component.custom_id, read, complain, element: shown }];
}

/** Check a field as the client does before it sends a form. */
function whatIsWrong(component, required, value) {
  const [low, fewest, most] = [component.min_length ?? 0, component.min_values ?? 1, component.max_values ?? 1];
  const count = component.type === FILE_UPLOAD ? value?.length : 0;
  if (count && (count < fewest || count > most)) return `Choose ${fewest === most ? most : `${fewest} to ${most}`} files.`;
  const empty = value === undefined || value.length === 0;
  if (empty) return required ? "This field is required." : "";
  return typeof value === "string" && value.length < low ? `This must be ${low} or more characters.` : "";
}

function control(component, id, label, store) {
  if (component.type === TEXT_INPUT) return textInput(component, id);
  if (SELECTS.includes(component.type)) return selectField(component, label, store);
  const kinds = { [FILE_UPLOAD]: fileField, 21: choiceField, 22: choiceField, 23: checkField };
  return kinds[component.type](component, id, label);
}

function textInput(component, id) {
  const set = { id, name: component.custom_id, placeholder: component.placeholder, maxlength: component.max_length, value: component.value ?? "", required: component.required ?? true };
  const element = component.style === PARAGRAPH ? h("textarea", { ...set, rows: 4 }) : h("input", { type: "text", ...set });
  return { element, read: () => element.value };
}

function selectField(component, label, store) {
  let values = initial(component);
  const element = selectMenu(component, store, values, (chosen) => (values = chosen), label);
  return { element, read: () => values };
}

function fileField({ max_values: most }, id, label) {
  let files;
  const [many, few] = [most > 1, most > 1 ? "files" : "a file"];
  const words = h("span", {}, `Choose ${few}`);
  const picker = h("input", { type: "file", multiple: many, hidden: true, tabindex: -1, "aria-hidden": "true" });
  const element = h("button", { type: "button", id, class: "file-field", "aria-label": `${label}: choose ${few}`, onclick: () => picker.click() }, icon("upload", 24), words, picker);
  picker.addEventListener("change", () => {
    files = picker.files.length ? [...picker.files] : undefined;
    const named = (files ?? []).map((file) => `${file.name} (${fileSize(file.size)})`).join(", ");
    words.textContent = named || `Choose ${few}`;
    element.setAttribute("aria-label", `${label}: ${named || `choose ${few}`}`);
  });
  picker.addEventListener("click", (event) => event.stopPropagation());
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    picker.files = event.dataTransfer.files;
    picker.dispatchEvent(new Event("change"));
  });
  return { element, read: () => files };
}

function choiceField(component, id, label) {
  const one = component.type === 21;
  const boxes = component.options.map((option) => h("input", { type: one ? "radio" : "checkbox", name: id, value: option.value, checked: Boolean(option.default) }));
  const rows = component.options.map((option, n) => h("label", { class: "choice" }, boxes[n], h("span", {}, option.label, option.description && h("small", {}, option.description))));
  const read = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    return one ? (chosen[0] ?? undefined) : chosen;
  };
  return { element: h("div", { role: one ? "radiogroup" : "group", "aria-label": label, class: "choices" }, rows), read };
}

function checkField(component, id, label) {
  const box = h("input", { type: "checkbox", id, checked: Boolean(component.default), "aria-label": label });
  return { element: h("span", { class: "choice" }, box), read: () => box.checked };
}

