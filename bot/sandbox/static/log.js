/** What the bot sent, to whom, why, and through which channel. Loaded only while it can be seen. */

import { $, guarded, h, link, toast } from "./dom.js";
import { api, coalesced } from "./api.js";
import { channel, instant, fullTime, purpose, sendState, shortTime } from "./format.js";
import { store } from "./store.js";

const COLUMNS = ["时间", "成员", "活动", "缘由", "渠道", "状态", "内容"];
let rows = [];
let visible = false;

export function startLog() {
  $("log-mine").addEventListener("change", draw);
  $("log-channel").addEventListener("change", draw);
  $("log-refresh").addEventListener("click", (click) => guarded(click.currentTarget, load));
  store.on("log", () => visible && reload());
  store.on("current", draw);
  draw();
}

export function setLogVisible(shown) {
  if (shown && !visible) reload();
  visible = shown;
}

function reload() {
  load().catch((error) => toast(error.message, "error"));
}

const load = coalesced(async () => {
  ({ rows } = await api.log());
  draw();
});

function draw() {
  const select = $("log-channel");
  const names = [...new Set(rows.map((row) => row.channel || "none"))];
  const wanted = names.includes(select.value) ? select.value : "";
  select.replaceChildren(h("option", { value: "" }, "全部渠道"),
    ...names.map((name) => h("option", { value: name }, channel(name).name)));
  select.value = wanted;
  const mine = $("log-mine").checked;
  const shown = rows.filter((row) => (!mine || row.openid === store.current) && (!wanted || (row.channel || "none") === wanted));
  const head = h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name))));
  $("log-rows").replaceChildren(shown.length
    ? h("table", { className: "log" }, head, h("tbody", {}, shown.map(logRow)))
    : h("p", { className: "empty" }, rows.length ? "没有符合条件的记录。" : "还没有发送记录。到「控制台」把时间往后拨,活动就会发出。"));
}

function logRow(row) {
  const way = channel(row.channel);
  const open = ["pending", "claimed"].includes(row.state) && !row.channel;
  const state = sendState(row.state);
  const at = instant(row.at);
  const cell = (index, ...children) => h("td", { dataset: { label: COLUMNS[index] }, className: `log-${index}` }, children);
  return h("tr", { dataset: { testid: "log-row", channel: row.channel || "none", state: row.state ?? "", openid: row.openid ?? "" } },
    cell(0, h("time", { datetime: row.at, title: fullTime(at) }, shortTime(at))),
    cell(1, memberOf(row)), cell(2, row.campaign || purpose(row.kind)), cell(3, row.reason || "—"),
    cell(4, h("span", { className: `channel channel-${way.tone}` }, open ? "待定" : way.name)),
    cell(5, h("span", { className: `state state-${state.tone}` }, state.name),
      Number(row.errcode) ? h("span", { className: "errcode" }, `errcode ${row.errcode}`) : ""),
    cell(6, h("span", { className: "log-content" }, row.content ?? ""),
      row.note ? h("span", { className: "log-note" }, row.note) : "", historyOf(row.history)));
}

function memberOf(row) {
  const label = store.person(row.openid)?.label ?? row.member ?? row.openid ?? "—";
  if (!store.person(row.openid)) return String(label);
  const anchor = link(`#${encodeURIComponent(row.openid)}`, label);
  anchor.removeAttribute("target");
  return anchor;
}

/** Each step is a text, or an object with a time, a state and whatever else the server tells. */
function historyOf(history) {
  if (!history?.length) return "";
  return h("details", { className: "steps" }, h("summary", {}, `经过 ${history.length} 步`),
    h("ol", {}, history.map((step) => h("li", {}, stepText(step)))));
}

function stepText(step) {
  if (typeof step !== "object" || step === null) return String(step);
  const { at, attempt, errcode, state, outcome, channel: way, ...rest } = step;
  const others = Object.values(rest).filter((value) => value !== null && value !== "" && typeof value !== "object");
  return [at ? shortTime(instant(at)) : "", attempt ? `第 ${attempt} 次` : "", way ? channel(way).name : "",
    state || outcome ? sendState(state ?? outcome).name : "", Number(errcode) ? `errcode ${errcode}` : "", ...others]
    .filter(Boolean).join(" · ");
}
