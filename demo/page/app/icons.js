// The icons, drawn for this page: 24 × 24, lines unless marked.

const SHAPES = {
  hash: "M9 4 7 20M17 4l-2 16M4 9h16M4 15h16",
  news: "M4 10v4h3l9 5V5l-9 5H4M19 9v6M7 14l1 5h3",
  forum: "M4 5h12v9H9l-4 3v-3H4zM9 17h6l4 3v-3h1V9h-2",
  voice: "M4 10v4h3l5 4V6l-5 4zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  stage: "M12 12m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7.5 16a6 6 0 1 1 9 0M5 18.5a9.5 9.5 0 1 1 14 0M9 20h6",
  thread: "M5 5h14v9h-7l-4 4v-4H5zM8.5 8.5h7M8.5 11h4",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6M3 19c0-3 2.5-5 6-5s6 2 6 5M16 5.3a3 3 0 0 1 0 5.4M17.5 14.3c2.2.6 3.5 2.3 3.5 4.7",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  chevron: "M6 9l6 6 6-6",
  right: "M9 6l6 6-6 6",
  menu: "M4 6h16M4 12h16M4 18h16",
  dots: "M5 12h.01M12 12h.01M19 12h.01",
  reply: "M10 7 4 12l6 5v-3.5c5 0 8 1 10 4.5-.5-6-4-9-10-9z",
  send: "M4 12 20 4l-5 16-3.5-6.5z",
  eye: "M2.5 12S6 6 12 6s9.5 6 9.5 6-3.5 6-9.5 6-9.5-6-9.5-6M12 14.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5",
  upload: "M12 16V5M7.5 9.5 12 5l4.5 4.5M5 15v4h14v-4",
  download: "M12 5v11M7.5 11.5 12 16l4.5-4.5M5 19h14",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  play: "M8 5v14l11-7z",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4",
  moon: "M19 14.5A8 8 0 0 1 9.5 5 7.5 7.5 0 1 0 19 14.5z",
  tools: "M5 19 13 11M14 4a5 5 0 0 0-1 6.5l.5.5.5.5A5 5 0 0 0 20.500 10l-3 1-2.500-2.500 1-3A5 5 0 0 0 14 4z",
  apps: "M5 5h5v5H5zM14 5h5v5h-5zM5 14h5v5H5zM14 16.500h5M16.500 14v5",
  trash: "M5 7h14M10 7V5h4v2M7 7l1 13h8l1-13M10.500 10.500v6M13.500 10.500v6",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  crown: "M4 8l4 4 4-7 4 7 4-4-2 10H6z",
  alert: "M12 4 2.500 20h19zM12 10v4.500M12 17.300v.2",
  home: "M4 5h16v11h-8l-5 4v-4H4zM9 10.500h.01M15 10.500h.01",
  boost: "M12 3l6 6v6l-6 6-6-6V9zM12 8l2.500 2.500v3L12 16l-2.500-2.500v-3z",
  slash: "M5 4h14v16H5zM14 8l-4 8",
  link: "M14 5h5v5M19 5l-8 8M11 6H5v13h13v-6",
};

/** Draw an icon; it says nothing to a screen reader, so label what carries it. */
export function icon(name, size = 20) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const set = { viewBox: "0 0 24 24", width: size, height: size, class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" };
  for (const [key, value] of Object.entries(set)) svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

/** Which icon a type of channel has. */
export function channelIcon(channel) {
  const names = { 1: "home", 2: "voice", 5: "news", 10: "thread", 11: "thread", 12: "lock", 13: "stage", 15: "forum", 16: "forum" };
  return names[channel.type] ?? (channel.private ? "lock" : "hash");
}
