/** One event of a conversation as WeChat draws it. Returns a list item; nothing here reads or changes the store. */

import { avatar, h, icon, link, picture, richText, safeUrl } from "./dom.js";
import { VIA } from "./format.js";

const CODE = /(?:验证码|校验码)\D{0,8}(\d{4,8})/;

/** `context`: {shop, person, onPhrase(text, id), onCode(code), onTurn(turn)}. */
export function renderMessage(event, context) {
  const dataset = {
    testid: "message", dir: event.dir, via: event.via, kind: event.kind, id: event.id,
  };
  if (event.via === "sms") return h("li", { className: "row row-sms", dataset }, smsBody(event, context));
  if (event.kind === "event") return h("li", { className: "row row-event", dataset }, eventBody(event, context));
  const wide = event.kind === "card" || event.kind === "news";
  const body = bodyOf(event, context);
  const notes = noteLine(event, context);
  if (wide) return h("li", { className: "row row-wide", dataset }, spoken(event, context), body, notes);
  return h(
    "li",
    { className: `row row-${event.dir === "in" ? "own" : "account"}`, dataset },
    event.dir === "in"
      ? avatar(context.person?.label ?? "?", event.openid)
      : avatar(context.shop || "店", "shop", "account"),
    h("div", { className: "column" }, spoken(event, context), body, notes),
  );
}

function spoken(event, context) {
  const who = event.dir === "in" ? "我" : context.shop || "公众号";
  return h("span", { className: "sr-only" }, `${who}${VIA[event.via] ? `(${VIA[event.via]})` : ""}:`);
}

function bodyOf(event, context) {
  if (event.kind === "image") return picture(event.picurl, "图片", "bubble-image");
  if (event.kind === "news") return newsBody(event);
  if (event.kind === "card") return cardBody(event);
  if (event.kind === "msgmenu" && event.menu) return menuBody(event.menu, context);
  const anchors = event.dir === "out";
  return h("div", { className: "bubble" }, richText(event.text, { anchors, onPhrase: context.onPhrase }));
}

function eventBody(event, context) {
  return h("span", { className: "event-line" }, event.text, turnButton(event, context));
}

function turnButton(event, context) {
  if (!event.turn) return null;
  return h("button", {
    type: "button", className: "turn-link", title: "看这一轮的原始 XML", "aria-label": `第 ${event.turn} 轮的原始 XML`,
    onClick: () => context.onTurn(event.turn),
  }, `#${event.turn}`);
}

function noteLine(event, context) {
  const via = event.dir === "out" ? VIA[event.via] : null;
  const button = turnButton(event, context);
  if (!via) return button;
  return h("div", { className: "note" }, h("span", { className: `via via-${event.via}` }, via), button);
}

function menuBody(menu, context) {
  const items = (menu.items ?? []).map((item) => h("li", {}, h("button", {
    type: "button", className: "linklike", dataset: { testid: `msgmenu-${item.id}` },
    onClick: () => context.onPhrase(item.content, item.id),
  }, item.content)));
  return h("div", { className: "bubble" },
    menu.head ? h("p", { className: "msgmenu-text" }, richText(menu.head)) : null,
    h("ul", { className: "msgmenu" }, items),
    menu.tail ? h("p", { className: "msgmenu-text" }, richText(menu.tail)) : null);
}

function newsBody(event) {
  const items = event.items?.length ? event.items : [event];
  const [first, ...others] = items;
  const single = others.length === 0;
  const cover = first.picurl ? h("div", { className: "news-cover" },
    picture(first.picurl, "", "news-picture"),
    single ? null : h("span", { className: "news-overlay" }, first.title)) : null;
  const lead = single || !cover
    ? [cover, h("span", { className: "news-title" }, first.title),
      first.description ? h("span", { className: "news-description" }, first.description) : null]
    : [cover];
  return h("div", { className: "card news" },
    opened(first.url, "news-lead", lead),
    others.map((item) => opened(item.url, "news-row", [
      h("span", { className: "news-row-title" }, item.title), item.picurl ? picture(item.picurl, "", "news-thumb") : null,
    ])));
}

function opened(address, className, children) {
  const url = safeUrl(address);
  if (!url) return h("div", { className }, children);
  const node = link(url, ...children);
  node.className = className;
  return node;
}

function cardBody(event) {
  const fields = (event.fields ?? []).map((field) => [
    h("dt", {}, field.name), h("dd", {}, richText(field.value)),
  ]);
  const url = safeUrl(event.url);
  return h("div", { className: `card notice notice-${event.via}` },
    h("div", { className: "notice-head" }, h("span", { className: "notice-title" }, event.title || "通知")),
    fields.length ? h("dl", { className: "notice-fields" }, fields) : null,
    event.text && event.text !== event.title ? h("p", { className: "notice-remark" }, richText(event.text)) : null,
    url ? opened(event.url, "notice-more", [h("span", {}, "查看详情"), icon("chevron")]) : null);
}

/** The code inside an SMS, as a phone's keyboard would offer it. */
export function codeIn(text) {
  return CODE.exec(text ?? "")?.[1] ?? null;
}

function smsBody(event, context) {
  const code = codeIn(event.text);
  return h("div", { className: "sms" },
    h("div", { className: "sms-head" },
      h("span", { className: "sms-badge" }, icon("sms")), h("strong", {}, "短信"),
      event.phone ? h("span", { className: "sms-phone" }, `发到 ${event.phone}`) : null,
      turnButton(event, context)),
    h("p", { className: "sms-text" }, richText(event.text)),
    code ? h("button", {
      type: "button", className: "sms-code", dataset: { testid: "sms-code" }, onClick: () => context.onCode(code),
    }, `填入验证码 ${code}`) : null);
}
