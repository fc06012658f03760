/** The phone's conversation: history, new messages, time lines, the wait for a reply, unread pill, SMS banner. */

import { $, avatar, guarded, h, icon, toast } from "./dom.js";
import { api } from "./api.js";
import { chatTime, clockTime, instant } from "./format.js";
import { renderMessage } from "./messages.js";
import { act, store } from "./store.js";

const TIME_GAP = 5 * 60 * 1000;
const NEAR_BOTTOM = 80;
const BANNER_MS = 4500;

let lastAt = null;
let missed = 0;
let bannerTimer = 0;

/** `hooks`: {onCode(code), onTurn(turn)}. */
export function startChat(hooks) {
  const list = $("messages");
  const scroller = $("scroller");
  const context = () => ({
    shop: store.shop, person: store.person(), onCode: hooks.onCode, onTurn: hooks.onTurn,
    onPhrase: (text, id) => guarded(null, () => act((openid) => api.say(openid, text, id))),
  });
  const follow = followTail(scroller);

  store.on("current", () => {
    $("sms-banner").hidden = true;
    redraw(list, context(), follow);
    list.setAttribute("aria-busy", "true");
  });
  store.on("loaded", ({ openid, same }) => {
    if (openid === store.current && (!same || !list.children.length)) redraw(list, context(), follow);
    if (openid === store.current) list.setAttribute("aria-busy", "false");
  });
  store.on("event", ({ event, inOrder }) => {
    if (event.type !== "message") return;
    if (!inOrder) redraw(list, context(), follow);
    else addMessage(list, event, context(), follow);
    if (event.via === "sms") banner(event);
  });
  store.on("typing current", () => showTyping(follow));
  store.on("state current connection", drawHeader);
  store.on("state", () => drawIntro());
  store.on("clock", () => {
    drawStatusTime();
    for (const time of list.querySelectorAll("time")) time.textContent = chatTime(instant(time.dateTime), store.now());
  });
  setInterval(drawStatusTime, 1000);
}

function redraw(list, context, follow) {
  lastAt = null;
  const rows = store.thread().filter((event) => event.type === "message").flatMap((event) => rowsOf(event, context));
  list.replaceChildren(...rows);
  drawIntro();
  follow.toEnd();
}

function rowsOf(event, context) {
  const at = instant(event.at);
  const row = renderMessage(event, context);
  const gap = lastAt === null || Math.abs(at - lastAt) > TIME_GAP;
  if (gap) lastAt = at;
  if (!gap) return [row];
  const text = chatTime(at, store.now());
  return [h("li", { className: "row row-time", dataset: { testid: "time-line" } }, h("time", { datetime: event.at }, text)), row];
}

function addMessage(list, event, context, follow) {
  const own = event.dir === "in";
  const stick = own || follow.atEnd();
  const rows = rowsOf(event, context);
  for (const row of rows) row.classList.add("row-new");
  list.append(...rows);
  drawIntro();
  if (stick) follow.toEnd();
  else follow.missed();
}

/** Keeps the newest message in sight unless the reader has scrolled up; then counts what came. */
function followTail(scroller) {
  const pill = $("new-pill");
  const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_BOTTOM;
  const show = () => {
    pill.hidden = missed === 0;
    pill.textContent = `↓ ${missed} 条新消息`;
  };
  const toEnd = () => {
    scroller.scrollTop = scroller.scrollHeight;
    missed = 0;
    show();
  };
  let sticking = true;
  scroller.addEventListener("scroll", () => {
    sticking = atEnd();
    if (sticking && missed) {
      missed = 0;
      show();
    }
  }, { passive: true });
  scroller.addEventListener("load", () => sticking && toEnd(), true);
  new ResizeObserver(() => sticking && toEnd()).observe(scroller);
  pill.addEventListener("click", toEnd);
  return {
    atEnd, toEnd,
    missed: () => {
      missed += 1;
      show();
    },
  };
}

function drawHeader() {
  const lost = store.connection === "lost";
  const typing = store.isTyping();
  const name = store.shop || "公众号";
  $("shop-name").textContent = typing ? "对方正在输入…" : lost ? `${name}(未连接)` : name;
  $("offline-bar").hidden = !lost;
  const person = store.person();
  $("acting-as").textContent = person ? `扮演:${person.label}` : "";
  document.title = `${store.shop || "公众号"} · 本地微信`;
}

function showTyping(follow) {
  const typing = $("typing");
  const show = store.isTyping();
  const stick = follow.atEnd();
  if (show && !typing.children.length) {
    typing.append(avatar(store.shop || "店", "shop", "account"),
      h("div", { className: "bubble dots" }, h("i"), h("i"), h("i"), h("span", { className: "sr-only" }, "对方正在输入")));
  }
  typing.hidden = !show;
  if (show && stick) follow.toEnd();
  drawHeader();
}

/** What WeChat shows of an account before one follows it, or before the first word. */
function drawIntro() {
  const intro = $("intro");
  const person = store.person();
  const quiet = !$("messages").children.length;
  intro.hidden = !person || (person.followed && !quiet);
  if (intro.hidden) return;
  const hint = person.followed ? "还没有消息。发一句话,或点下面的菜单试试。" : "关注后可以接收消息、使用会员菜单。";
  intro.replaceChildren(
    avatar(store.shop || "店", "shop", "account"),
    h("strong", {}, store.shop || "公众号"),
    h("span", { className: "intro-kind" }, icon("verified"), "服务号 · 本地沙箱"),
    h("p", {}, hint));
}

function drawStatusTime() {
  $("status-time").textContent = clockTime(store.now());
}

/** The phone's own notification: drops from the top, leaves by itself, never takes a click. */
function banner(event) {
  const node = $("sms-banner");
  node.replaceChildren(
    h("span", { className: "sms-badge" }, icon("sms")),
    h("div", {}, h("strong", {}, "信息"), h("span", { className: "banner-now" }, "现在"), h("p", {}, event.text)));
  node.hidden = false;
  clearTimeout(bannerTimer);
  bannerTimer = setTimeout(() => { node.hidden = true; }, BANNER_MS);
}

/** The subscription pop-up as the phone shows it, for one template. */
export function askConsent(subscription) {
  const sheet = $("sheet");
  const opener = document.activeElement;
  const close = () => {
    sheet.hidden = true;
    sheet.replaceChildren();
    opener?.focus?.();
  };
  const answer = (accept) => (click) => guarded(click.currentTarget, async () => {
    await act((openid) => api.consent(openid, subscription.template_id, accept), { replies: false });
    close();
    toast(accept ? "已允许订阅一次" : "已拒绝");
  });
  sheet.replaceChildren(h("div", {
    className: "sheet-card", role: "dialog", "aria-modal": "true", "aria-labelledby": "sheet-title",
    onKeydown: (key) => key.key === "Escape" && close(),
  },
  h("div", { className: "sheet-from" }, avatar(store.shop || "店", "shop", "account"), `${store.shop} 申请`),
  h("strong", { id: "sheet-title" }, "给你发送一次订阅消息"),
  h("div", { className: "sheet-item" }, icon("check"), subscription.title),
  h("div", { className: "sheet-buttons" },
    h("button", { type: "button", className: "button", dataset: { testid: "sheet-decline" }, onClick: answer(false) }, "拒绝"),
    h("button", { type: "button", className: "button primary", dataset: { testid: "sheet-accept" }, onClick: answer(true) }, "允许"))));
  sheet.hidden = false;
  sheet.querySelector(".primary").focus();
}
