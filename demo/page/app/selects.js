// Select menus: a button that opens a list; of texts, or of people, roles and channels.

import { freshId, h } from "./dom.js";
import { icon } from "./icons.js";
import { popover } from "./overlays.js";
import { CATEGORY, DM } from "./store.js";

/** Show a select menu of a message; choosing is using it. */
export function select(component, context) {
  const waiting = context.waiting(component);
  const choose = (values) => context.press(component, values);
  const chosen = initial(component);
  const menu = selectMenu(component, context.store, chosen, choose);
  menu.dataset.keep = component.custom_id;
  menu.disabled = Boolean(component.disabled || waiting);
  return menu;
}

/** The values that a select menu starts with. */
export function initial(component) {
  if (component.options) return component.options.filter((o) => o.default).map((o) => o.value);
  return (component.default_values ?? []).map((v) => v.id);
}

/** Make a select menu; `onChoice` gets the values once the choice is made. */
export function selectMenu(component, store, chosen, onChoice, label = null) {
  const options = optionsOf(component, store);
  const many = (component.max_values ?? 1) > 1;
  const listId = freshId("select");
  let values = [...chosen];

  const words = h("span", { class: "select-words" });
  const control = h(
    "button",
    { type: "button", class: "select", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": listId, "aria-label": label ?? component.placeholder ?? "Make a selection" },
    words,
    icon("chevron", 18),
  );
  const show = () => {
    const labels = options.filter((o) => values.includes(o.value)).map((o) => o.label);
    words.textContent = labels.join(", ") || component.placeholder || "Make a selection";
    words.classList.toggle("placeholder", labels.length === 0);
  };

  const items = (close) =>
    options.map((option) => {
      const mark = h("span", { class: many ? "tick tick-box" : "tick" });
      const about = option.description && h("span", { class: "option-description" }, option.description);
      const item = h("li", { role: "option", tabindex: -1, class: "option", "aria-selected": String(values.includes(option.value)) }, h("span", { class: "option-text" }, option.emoji?.name, " ", option.label, about), mark);
      item.addEventListener("click", () => pick(option, item, close));
      return item;
    });

  const pick = (option, item, close) => {
    if (!many) {
      values = [option.value];
      close();
    } else if (values.includes(option.value)) values = values.filter((v) => v !== option.value);
    else if (values.length < component.max_values) values = [...values, option.value];
    item.setAttribute("aria-selected", String(values.includes(option.value)));
    show();
    if (!many) onChoice(values);
  };

  control.addEventListener("click", () => {
    const before = values.join();
    popover(control, (close) => h("ul", { id: listId, role: "listbox", class: "select-list", "aria-multiselectable": String(many), "aria-label": control.getAttribute("aria-label") }, items(close)), {
      onClose: () => {
        control.setAttribute("aria-expanded", "false");
        const enough = values.length >= (component.min_values ?? 1);
        if (many && enough && values.join() !== before) onChoice(values);
      },
    });
    control.setAttribute("aria-expanded", "true");
  });
  show();
  return control;
}

function optionsOf(component, store) {
  const people = () => (store.guild?.members ?? []).map((m) => ({ value: m.user.id, label: store.nameOf(m.user) }));
  const roles = () => (store.guild?.roles ?? []).map((r) => ({ value: r.id, label: `@${r.name.replace("@", "")}` }));
  const channels = () =>
    [...store.channels.values()]
      .filter((c) => (component.channel_types ? component.channel_types.includes(c.type) : ![CATEGORY, DM].includes(c.type)))
      .map((c) => ({ value: c.id, label: `#${c.name}` }));
  const lists = { 5: people, 6: roles, 7: () => [...people(), ...roles()], 8: channels };
  return component.options ?? lists[component.type]();
}
