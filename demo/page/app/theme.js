// Dark, light, or what the system says.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const KEY = "theme";

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden
  }
}

/** Make the switch, which begins with what was chosen last, or what the system says. */
export function themeButton() {
  const system = matchMedia("(prefers-color-scheme: light)");
  let chosen = remembered();
  const button = h("button", { type: "button", class: "icon-button" });
  const apply = () => {
    const light = (chosen ?? (system.matches ? "light" : "dark")) === "light";
    document.documentElement.dataset.theme = light ? "light" : "dark";
    const words = light ? "Switch to dark" : "Switch to light";
    button.setAttribute("aria-label", words);
    button.title = words;
    button.replaceChildren(icon(light ? "moon" : "sun", 20));
  };
  button.addEventListener("click", () => {
    chosen = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // then it holds until the page is closed
    }
    apply();
  });
  system.addEventListener("change", apply);
  apply();
  return button;
}
