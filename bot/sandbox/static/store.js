/** What the page knows. Views subscribe; only this module changes it. */

import { api, coalesced, listen } from "./api.js";
import { instant } from "./format.js";
import { toast } from "./dom.js";

const LONGEST_TYPING = 20000;
const KEPT = 400;

class Store {
  #listeners = new Map();
  #threads = new Map();
  #typing = new Map();
  #arrivals = null;
  #clock = { sandbox: Date.now(), local: performance.now() };

  shop = "";
  mode = "plain";
  people = [];
  menu = [];
  qr = [];
  subscriptions = [];
  faults = [];
  current = null;
  unread = new Map();
  connection = "connecting";

  on(names, listener) {
    for (const name of names.split(" ")) {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener]);
    }
  }

  #emit(name, detail) {
    for (const listener of this.#listeners.get(name) ?? []) listener(detail);
  }

  /** Milliseconds of the sandbox's clock, which runs at the speed of this one. */
  now() {
    return this.#clock.sandbox + (performance.now() - this.#clock.local);
  }

  person(openid = this.current) {
    return this.people.find((person) => person.openid === openid) ?? null;
  }

  /** Events of one person, oldest first, each id once. */
  thread(openid = this.current) {
    return this.#threads.get(openid) ?? [];
  }

  isTyping(openid = this.current) {
    return this.#typing.has(openid);
  }

  start() {
    listen({
      onOpen: () => this.#connected(),
      onEvent: (event) => this.#receive(event),
      onLost: () => this.#setConnection("lost"),
    });
  }

  async #connected() {
    this.#setConnection("open");
    const before = this.current;
    try {
      await this.refreshState();
      if (before && before === this.current) await this.#loadThread(this.current);
      this.#emit("log");
    } catch (error) {
      toast(error.message, "error");
    }
  }

  #setConnection(connection) {
    if (this.connection === connection) return;
    this.connection = connection;
    this.#emit("connection");
  }

  refreshState = coalesced(() => this.#fetchState());

  async #fetchState() {
    const state = await api.state();
    for (const key of ["shop", "mode", "people", "menu", "qr", "subscriptions", "faults"]) {
      this[key] = state[key] ?? this[key];
    }
    this.#setClock(state.now);
    this.#emit("state");
  }

  #setClock(now) {
    const sandbox = instant(now);
    if (Number.isNaN(sandbox)) return;
    this.#clock = { sandbox, local: performance.now() };
    this.#emit("clock");
  }

  async choose(openid) {
    if (openid === this.current) return;
    this.current = openid;
    this.unread.delete(openid);
    this.#emit("current");
    try {
      await this.#loadThread(openid);
    } catch (error) {
      toast(error.message, "error");
      this.#emit("loaded", { openid, same: true });
    }
  }

  /** Replaces a person's events by the server's (ids start anew when it restarts), keeping what arrived meanwhile. */
  async #loadThread(openid) {
    const arrivals = { openid, events: [] };
    this.#arrivals = arrivals;
    const { events } = await api.history(openid);
    if (this.#arrivals !== arrivals || this.current !== openid) return;
    this.#arrivals = null;
    const byId = new Map([...events, ...arrivals.events].map((event) => [event.id, event]));
    const fresh = [...byId.values()].sort((a, b) => a.id - b.id);
    const known = this.thread(openid);
    const same = known.length === fresh.length
      && known.every((event, index) => event.id === fresh[index].id && event.at === fresh[index].at);
    this.#threads.set(openid, fresh);
    this.#emit("loaded", { openid, same });
  }

  #receive(event) {
    if (event.type === "state" || event.type === "clock") this.refreshState().catch((error) => toast(error.message, "error"));
    else if (event.type === "log") this.#emit("log");
    else if (event.type === "fault") toast(event.text, "error");
    else if (event.type === "message" || event.type === "turn") this.#append(event);
  }

  #append(event) {
    const { openid } = event;
    if (this.#arrivals?.openid === openid) this.#arrivals.events.push(event);
    const thread = this.thread(openid);
    if (thread.some((known) => known.id === event.id)) return;
    this.#settleTyping(event);
    this.#countUnread(event);
    const inOrder = !thread.length || thread[thread.length - 1].id < event.id;
    const longer = [...thread, event];
    if (!inOrder) longer.sort((a, b) => a.id - b.id);
    this.#threads.set(openid, longer.slice(-KEPT));
    if (openid === this.current) this.#emit("event", { event, inOrder });
  }

  #countUnread(event) {
    if (event.type !== "message") return;
    if (event.dir !== "out" || event.openid === this.current) return;
    this.unread.set(event.openid, (this.unread.get(event.openid) ?? 0) + 1);
    this.#emit("unread");
  }

  /** A reply, or the last word on a turn, ends the wait for one. */
  #settleTyping(event) {
    const answered = event.type === "message" ? event.dir === "out" && event.via !== "sms" : event.status === 200;
    if (answered || event.attempt >= 3) this.stopTyping(event.openid);
  }

  expectReply(openid) {
    clearTimeout(this.#typing.get(openid));
    this.#typing.set(openid, setTimeout(() => this.stopTyping(openid), LONGEST_TYPING));
    this.#emit("typing");
  }

  stopTyping(openid) {
    if (!this.#typing.has(openid)) return;
    clearTimeout(this.#typing.get(openid));
    this.#typing.delete(openid);
    this.#emit("typing");
  }
}

export const store = new Store();

/** Does `work` as the chosen person and waits visibly for the account's answer. */
export async function act(work, { replies = true } = {}) {
  const openid = store.current;
  if (!openid) throw new Error("请先选一个人");
  if (replies) store.expectReply(openid);
  try {
    return await work(openid);
  } catch (error) {
    store.stopTyping(openid);
    throw error;
  }
}
