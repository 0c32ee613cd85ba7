// Building elements. Text becomes text nodes, never markup: nothing anybody wrote can turn into HTML.

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "hidden", "muted", "controls", "required", "open"]);

/** Make an element: `h("button", { class: "x", onclick: f }, "words", otherElement)`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "class") element.className = value;
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

/** Flatten what may be shown: elements, texts, arrays of them; null, undefined and false are nothing. */
export function nodes(children) {
  return [children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put other content in an element. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Give an address back if it is one that may be followed: http or https. */
export function webAddress(text) {
  try {
    const url = new URL(text);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Make a link to somewhere else. */
export function outsideLink(address, ...children) {
  const href = webAddress(address);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children) : h("span", {}, ...children);
}

/** Show a size in bytes as Discord does. */
export function fileSize(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < 3) [size, unit] = [size / 1024, unit + 1];
  return `${unit ? size.toFixed(2) : size} ${units[unit]}`;
}

/** Let a function run once, a moment after the last of many calls. */
export function soon(work, milliseconds = 60) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), milliseconds);
  };
}

/** A colour as Discord stores it, a number; null for none. */
export function colour(number) {
  return number ? `#${number.toString(16).padStart(6, "0")}` : null;
}

let count = 0;
/** Make an id that no other element of the page has. */
export const freshId = (prefix) => `${prefix}-${++count}`;
