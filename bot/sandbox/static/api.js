/** The sandbox's JSON API and its event stream. */

const BASE = new URL("../api/", import.meta.url);

export class ApiError extends Error {}

async function call(method, path, body) {
  let response;
  try {
    response = await fetch(new URL(path, BASE), {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError("连不上沙箱,请确认服务正在运行");
  }
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer ?? {};
  throw new ApiError(typeof answer?.error === "string" ? answer.error : `沙箱出错了(${response.status})`);
}

const post = (path, body) => call("POST", path, body);

export const api = {
  state: () => call("GET", "state"),
  history: (openid) => call("GET", `history?openid=${encodeURIComponent(openid)}`),
  log: () => call("GET", "log"),
  say: (openid, text, menuId) => post("say", menuId ? { openid, text, menu_id: menuId } : { openid, text }),
  menu: (openid, key) => post("menu", { openid, key }),
  view: (openid, url) => post("menu", { openid, url }),
  scan: (openid, scene) => post("scan", { openid, scene }),
  follow: (openid) => post("follow", { openid }),
  unfollow: (openid) => post("unfollow", { openid }),
  location: (openid, latitude, longitude) => post("location", { openid, latitude, longitude }),
  image: (openid) => post("image", { openid }),
  consent: (openid, templateId, accept) => post("consent", { openid, template_id: templateId, accept }),
  person: (label) => post("person", { label }),
  advance: (seconds) => post("clock", { advance_seconds: seconds }),
  setClock: (to) => post("clock", { to }),
  mode: (mode) => post("mode", { mode }),
  addFault: (fault) => post("faults", fault),
  clearFaults: () => call("DELETE", "faults"),
};

/** `work` that never runs twice at once: calls during a run share one more run after it. */
export function coalesced(work) {
  let running = null;
  let next = null;
  const start = () => {
    running = work().finally(() => { running = null; });
    return running;
  };
  return () => {
    if (!running) return start();
    next ??= running.catch(() => undefined).then(() => {
      next = null;
      return start();
    });
    return next;
  };
}

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 15000;

/** Listens for ever: the browser reconnects a dropped stream, a refused one is reopened here with growing waits.
 * `onOpen` runs at every (re)connection, so that the caller can fetch what it missed. */
export function listen({ onOpen, onEvent, onLost }) {
  let wait = FIRST_WAIT;
  const open = () => {
    const source = new EventSource(new URL("stream", BASE));
    source.onopen = () => {
      wait = FIRST_WAIT;
      onOpen();
    };
    source.onmessage = (message) => {
      let event;
      try {
        event = JSON.parse(message.data);
      } catch {
        return;
      }
      onEvent(event);
    };
    source.onerror = () => {
      onLost();
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    };
  };
  open();
}
