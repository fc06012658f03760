/** Two views of the chosen person's turns: their raw XML, and what they wrote into the books. */

import { $, h, toast } from "./dom.js";
import { MODES, account, amount, instant, isLess, movement, shortTime, fullTime } from "./format.js";
import { store } from "./store.js";
import { xmlBlock } from "./xml.js";

const SHOWN = 60;

const turnsOf = () => store.thread().filter((event) => event.type === "turn").reverse();

export function startTurns() {
  store.on("current loaded", () => {
    drawXml();
    drawBooks();
  });
  store.on("event", ({ event }) => {
    if (event.type !== "turn") return;
    addTurn(event);
    drawBooks();
  });
}

/** Opens one turn in the XML view and scrolls to it. */
export function showTurn(number) {
  const found = turnsOf().find((event) => event.turn === number);
  if (!found) {
    toast("这一轮的记录已经不在了", "error");
    return;
  }
  const node = $("panel-xml").querySelector(`[data-id="${found.id}"]`);
  if (node) node.open = true;
  node?.scrollIntoView({ block: "start" });
  node?.querySelector("summary")?.focus();
}

function drawXml() {
  const turns = turnsOf().slice(0, SHOWN);
  $("panel-xml").replaceChildren(...(turns.length ? turns.map((event, index) => turnCard(event, index === 0))
    : [h("p", { className: "empty" }, "这里显示每一轮的请求和回复。发一句话就会出现。")]));
}

/** The newest turn comes open on top and folds the one before it, unless the reader opened that one. */
function addTurn(event) {
  const list = $("panel-xml");
  const newest = turnsOf()[0] === event;
  if (!newest || !list.querySelector(".turn")) {
    drawXml();
    return;
  }
  for (const card of list.querySelectorAll("details[data-auto]")) card.open = false;
  list.prepend(turnCard(event, true));
  while (list.children.length > SHOWN) list.lastChild.remove();
}

function turnCard(event, newest) {
  const good = event.status >= 200 && event.status < 300;
  const summary = h("summary", {},
    h("span", { className: "turn-number" }, `#${event.turn}`),
    h("span", { className: "turn-what" }, headline(event.request_xml)),
    h("span", { className: "turn-facts" },
      h("span", { className: `fact ${good ? "fact-good" : "fact-bad"}` }, event.status ? String(event.status) : "无应答"),
      h("span", { className: "fact" }, `${Math.round(event.ms * 10) / 10} ms`),
      h("span", { className: "fact" }, MODES[event.mode] ?? event.mode),
      event.attempt > 1 ? h("span", { className: "fact fact-bad" }, `第 ${event.attempt} 次`) : h("span", { className: "fact" }, "第 1 次"),
      h("span", { className: "fact fact-time" }, shortTime(instant(event.at)))));
  const card = h("details", { className: "turn", dataset: { testid: "turn-xml", id: event.id, turn: event.turn } }, summary);
  const fillIn = () => card.append(
    event.error ? h("p", { className: "turn-error" }, event.error) : "",
    section("请求", event.request_xml, "turn-request"),
    section("回复", event.reply_xml, "turn-reply"),
    event.encrypted_xml ? h("details", { className: "encrypted", dataset: { testid: "turn-encrypted" } },
      h("summary", {}, "加密的报文"), xmlBlock(event.encrypted_xml)) : "");
  card.addEventListener("toggle", () => card.open && card.children.length === 1 && fillIn());
  summary.addEventListener("click", () => delete card.dataset.auto);
  if (newest) {
    card.dataset.auto = "yes";
    card.open = true;
    fillIn();
  }
  return card;
}

/** The few words of a request that tell one turn from another. */
function headline(xml) {
  const value = (tag) => new RegExp(`<${tag}>(?:<!\\[CDATA\\[)?([\\s\\S]*?)(?:\\]\\]>)?</${tag}>`).exec(xml ?? "")?.[1]?.trim();
  const event = value("Event");
  const words = event ? [event, value("EventKey")] : [value("MsgType"), value("Content")];
  return words.filter(Boolean).join(" · ") || "请求";
}

function section(title, xml, testid) {
  const copy = h("button", { type: "button", className: "small", "aria-label": `复制${title}`, onClick: async () => {
    try {
      await navigator.clipboard.writeText(xml ?? "");
      toast("已复制");
    } catch {
      toast("浏览器不让复制,请手动选中", "error");
    }
  } }, "复制");
  const body = xml ? xmlBlock(xml) : h("p", { className: "empty" }, "没有内容");
  return h("section", { className: "turn-part", dataset: { testid } }, h("h4", {}, title, copy), body);
}

function drawBooks() {
  const turns = turnsOf().filter((event) => event.books?.length);
  const panel = $("panel-books");
  if (!turns.length) {
    panel.replaceChildren(h("p", { className: "empty" }, "还没有记账。绑定、签到、核销等操作写进账本的分录会显示在这里。"));
    return;
  }
  const newest = turnsOf()[0];
  const [latest, older] = newest.books?.length ? [turns[0], turns.slice(1)] : [null, turns];
  panel.replaceChildren(
    h("h3", {}, `本轮 #${newest.turn}`),
    latest ? bookTable(latest) : h("p", { className: "empty" }, "最近这一轮没有动账。"),
    ...(older.length ? [h("h3", {}, "更早")] : []),
    ...older.slice(0, SHOWN).map(bookTable));
}

function bookTable(event) {
  const head = ["事项", "账户", "变动", "余额", "缘由"].map((name, index) => h("th", { scope: "col", className: index === 2 || index === 3 ? "number" : "" }, name));
  return h("div", { className: "books", dataset: { testid: "books-turn", turn: event.turn } },
    h("div", { className: "books-caption" }, `#${event.turn} · ${fullTime(instant(event.at))}`),
    h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, event.books.map(bookRow))));
}

function bookRow(entry) {
  const { name, scale, raw } = account(entry.account);
  const down = isLess(entry.amount);
  return h("tr", { dataset: { testid: "books-row" } },
    h("td", {}, movement(entry.what)), h("td", { title: raw }, name),
    h("td", { className: `number ${down ? "down" : "up"}` }, amount(entry.amount, scale, { signed: true })),
    h("td", { className: "number" }, amount(entry.balance_after, scale)),
    h("td", {}, entry.reason ?? ""));
}
