// Who one is: the panel at the lower left, which switches between people, and the list of members.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { popover } from "./overlays.js";
import { DM } from "./store.js";

/** Show who one is, with a way to be somebody else. */
export function userPanel(element, store, go, { theme }) {
  const draw = () => {
    const { me } = store;
    if (!me) return;
    const held = element.contains(document.activeElement);
    const button = h(
      "button",
      { type: "button", class: "user", "aria-haspopup": "menu", "aria-label": `You are ${me.display_name}, switch person`, onclick: () => choose(button) },
      h("span", { class: "presence online" }, h("img", { src: me.avatar_url, alt: "", width: 32, height: 32 })),
      h("span", { class: "user-words" }, h("strong", {}, me.display_name), h("span", {}, standing(me))),
      icon("chevron", 16),
    );
    fill(element, button, theme);
    if (held) button.focus();
  };
  const choose = (anchor) => {
    const list = (close) =>
      h(
        "ul",
        { role: "menu", class: "menu person-menu", "aria-label": "Be somebody else" },
        h("li", { class: "menu-title", role: "presentation" }, "Be somebody else"),
        store.people.map((person) => {
          const use = () => {
            close();
            go.person(person.name);
          };
          return h("li", { role: "menuitemradio", tabindex: -1, class: "menu-item", "aria-checked": String(person === store.me), onclick: use }, h("img", { src: person.avatar_url, alt: "", width: 32, height: 32 }), h("span", { class: "user-words" }, h("strong", {}, person.display_name), h("span", {}, standing(person))), person === store.me && h("span", { class: "tick" }));
        }),
      );
    popover(anchor, list, { width: true });
  };
  store.on("session guild", draw);
}

/** Say what somebody is in the server. */
function standing(person) {
  const membership = person.guilds[0];
  if (!membership) return person.name;
  if (membership.owner) return "Server owner";
  return membership.roles.join(", ") || "Member, no roles";
}

/** Show the members, by role. */
export function memberList(element, store, act) {
  const draw = () => {
    if (!store.guild) return;
    const dm = store.channel()?.type === DM;
    fill(element, dm ? null : groups(store).map(([name, members]) => group(name, members, store, act)));
  };
  store.on("guild places route session", draw);
}

function groups(store) {
  const hoisted = store.guild.roles.filter((r) => r.hoist).sort((a, b) => b.position - a.position);
  const taken = new Set();
  const away = (m) => m.user.bot && !store.botOnline;
  const found = [];
  const take = (name, fits) => {
    const members = store.guild.members.filter((m) => !taken.has(m.user.id) && fits(m));
    for (const m of members) taken.add(m.user.id);
    if (members.length) found.push([name, members.sort((a, b) => store.nameOf(a.user).localeCompare(store.nameOf(b.user)))]);
  };
  for (const role of hoisted) take(role.name, (m) => m.roles.includes(role.id) && !away(m));
  take("Online", (m) => !away(m));
  take("Offline", () => true);
  return found;
}

function group(name, members, store, act) {
  return h("section", {}, h("h3", { class: "member-group" }, `${name} — ${members.length}`), h("ul", {}, members.map((m) => member(m, name !== "Offline", store, act))));
}

function member({ user }, online, store, act) {
  const tint = store.colourOf(user.id);
  const owner = store.guild.owner_id === user.id;
  const open = (event) => act.userMenu(user, event.currentTarget);
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: `member ${online ? "" : "away"}`, onclick: open, oncontextmenu: (event) => act.userContext(user, event) },
      h("span", { class: `presence ${online ? "online" : ""}` }, h("img", { src: store.avatarOf(user), alt: "", width: 32, height: 32 })),
      h("span", { class: "author", style: tint ? { "--tint": tint } : {} }, store.nameOf(user)),
      owner && h("span", { class: "crown", title: "Server Owner" }, icon("crown", 14)),
      user.bot && h("span", { class: "app-badge" }, "APP"),
    ),
  );
}
