// Times: on messages, and Discord's own <t:…> marks, which count while one watches.

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
  s: { dateStyle: "short", timeStyle: "short" },
  S: { dateStyle: "short", timeStyle: "medium" },
};
const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

let locale = "en-US";
/** Say in which language times are written. */
export function setLocale(name) {
  locale = name;
}

const format = (date, style) => new Intl.DateTimeFormat(locale, style).format(date);

/** How long ago, or how far ahead: "in 12 seconds". */
export function relative(milliseconds, now = Date.now()) {
  const seconds = (milliseconds - now) / 1000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(locale).format(Math.trunc(seconds / size), unit);
}

/** How long ago in few letters, counting: "now", "3m ago". */
export function ago(milliseconds) {
  const element = document.createElement("time");
  element.dataset.ago = String(milliseconds);
  element.textContent = briefly(milliseconds);
  return element;
}

function briefly(milliseconds, now = Date.now()) {
  const seconds = Math.min(0, Math.trunc((milliseconds - now) / 1000));
  const found = UNITS.find(([, each]) => each >= 60 && -seconds >= each);
  if (!found) return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(0, "second");
  return new Intl.RelativeTimeFormat(locale, { style: "narrow" }).format(Math.trunc(seconds / found[1]), found[0]);
}

/** Fill in a <t:seconds:style> mark. */
export function timeMark(seconds, style = "f") {
  const date = new Date(seconds * 1000);
  const element = document.createElement("time");
  element.className = "time-mark";
  if (Number.isNaN(date.getTime())) {
    element.textContent = "Invalid date";
    return element;
  }
  element.dateTime = date.toISOString();
  element.title = format(date, STYLES.F);
  if (style === "R") {
    element.dataset.relative = String(date.getTime());
    element.textContent = relative(date.getTime());
  } else element.textContent = format(date, STYLES[style] ?? STYLES.f);
  return element;
}

/** Let every relative time of the page count. */
export function startCounting() {
  setInterval(() => {
    for (const element of document.querySelectorAll("time[data-relative], time[data-ago]")) {
      const { relative: counted, ago: brief } = element.dataset;
      const words = counted ? relative(Number(counted)) : briefly(Number(brief));
      if (element.textContent !== words) element.textContent = words;
    }
  }, 500);
}

/** The time on a message: today's hour, yesterday, or a date. */
export function messageTime(iso) {
  const date = new Date(iso);
  const days = Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
  const hour = format(date, STYLES.t);
  if (days === 0) return hour;
  return days === 1 ? `Yesterday at ${hour}` : format(date, STYLES.s);
}

export const clockTime = (iso) => format(new Date(iso), STYLES.t);
export const longTime = (iso) => format(new Date(iso), STYLES.F);
export const dayName = (iso) => format(new Date(iso), STYLES.D);
export const sameDay = (a, b) => midnight(new Date(a)) === midnight(new Date(b));

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** When a snowflake was made, in milliseconds. */
export const madeAt = (id) => Number(BigInt(id) >> 22n) + 1_420_070_400_000;
