// A forum: its posts as cards, and a new one.

import { api } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { dialog, toast } from "./overlays.js";
import { FORUM } from "./store.js";
import { ago, madeAt } from "./time.js";

/** Show the posts of the forum that is open; `element` takes the place of messages and composer. */
export function forumView(element, store, go) {
  const draw = () => {
    const forum = store.channel();
    element.hidden = forum?.type !== FORUM;
    if (element.hidden) return;
    const posts = store.threadsOf(forum.id).sort((a, b) => madeAt(b.last_message_id ?? b.id) - madeAt(a.last_message_id ?? a.id));
    const make = store.may("SEND_MESSAGES", forum) && h("button", { type: "button", class: "button button-primary", onclick: () => newPost(store, forum, go) }, icon("plus", 18), "New Post");
    fill(element, h("div", { class: "forum-bar" }, h("span", {}, forum.topic ?? "Posts"), make), h("ul", { class: "posts" }, posts.map((post) => card(post, forum, store, go))));
  };
  store.on("places route messages", draw);
}

function card(post, forum, store, go) {
  const owner = store.user(post.owner_id);
  const first = store.messages.get(post.id)?.get(post.id);
  const tags = (post.applied_tags ?? []).map((id) => forum.available_tags?.find((t) => t.id === id)).filter(Boolean);
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "post", onclick: () => go.thread(post.id) },
      tags.length > 0 && h("span", { class: "tags" }, tags.map((tag) => h("span", { class: "tag" }, tag.emoji_name, " ", tag.name))),
      h("strong", {}, post.name),
      h("span", { class: "post-words" }, owner && h("b", {}, `${store.nameOf(owner)}: `), first?.content ?? ""),
      h("span", { class: "post-foot" }, `${post.message_count ?? 0} messages · `, ago(madeAt(post.last_message_id ?? post.id))),
    ),
  );
}

function newPost(store, forum, go) {
  const title = h("input", { type: "text", id: "post-title", required: true, maxlength: 100, autofocus: true });
  const content = h("textarea", { id: "post-content", rows: 4, maxlength: 2000, required: true });
  const send = async (event, close) => {
    event.preventDefault();
    try {
      const made = await api.post(`/discord/channels/${forum.id}/posts`, { person: store.me.name, name: title.value, content: content.value });
      close();
      await store.loadPlaces();
      go.thread(made.id);
    } catch (refused) {
      toast(refused.message, "bad");
    }
  };
  dialog(
    (close) =>
      h(
        "form",
        { onsubmit: (event) => send(event, close) },
        h("h2", {}, "New Post"),
        h("label", { class: "field", for: "post-title" }, h("span", {}, "Title"), title),
        h("label", { class: "field", for: "post-content" }, h("span", {}, "Message"), content),
        h("div", { class: "dialog-buttons" }, h("button", { type: "button", class: "button button-secondary", onclick: close }, "Cancel"), h("button", { type: "submit", class: "button button-primary" }, "Post")),
      ),
    { label: "New Post" },
  );
}
