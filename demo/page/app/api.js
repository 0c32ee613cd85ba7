// The wire to the sandbox: its control site, which is where this page comes from.

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function send(method, path, body) {
  const request = { method, headers: { Accept: "application/json" } };
  if (body instanceof FormData) request.body = body;
  else if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Refused(0, "The sandbox does not answer.");
  }
  const answer = await response.json().catch(() => ({ error: `The sandbox answered ${response.status}.` }));
  if (!response.ok) throw new Refused(response.status, answer.error);
  return answer;
}

export const api = {
  get: (path) => send("GET", path),
  post: (path, body = {}) => send("POST", path, body),
  patch: (path, body) => send("PATCH", path, body),
  put: (path, body) => send("PUT", path, body),
  delete: (path) => send("DELETE", path),

  /** Post JSON with files beside it: `files` maps part names to File objects. */
  upload(path, payload, files) {
    const parts = Object.entries(files);
    if (parts.length === 0) return send("POST", path, payload);
    const form = new FormData();
    form.append("payload_json", JSON.stringify(payload));
    for (const [name, file] of parts) form.append(name, file, file.name);
    return send("POST", path, form);
  },
};

/** Listen to everything that happens; comes back by itself. `onState` hears true when connected, else false. */
export function listen(onEvent, onState) {
  let wait = 250;
  const connect = () => {
    const socket = new WebSocket(`ws://${location.host}/events`);
    socket.onopen = () => {
      wait = 250;
      onState(true);
    };
    socket.onmessage = (message) => onEvent(JSON.parse(message.data));
    socket.onclose = () => {
      onState(false);
      setTimeout(connect, wait);
      wait = Math.min(wait * 2, 5000);
    };
  };
  connect();
}
