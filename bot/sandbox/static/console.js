/** The levers of the sandbox: clock, message mode, what the chosen person does, faults. */

import { $, guarded, h, toast } from "./dom.js";
import { api } from "./api.js";
import { MODES, fromLocalInput, fullTime, toLocalInput } from "./format.js";
import { askConsent } from "./chat.js";
import { act, store } from "./store.js";

const STEPS = [[3600, "+1小时"], [86400, "+1天"], [259200, "+3天"], [604800, "+7天"], [2592000, "+30天"]];
const FAULTS = { busy: "系统繁忙 (-1)", hang: "挂起不应答", drop: "断开连接", expired_token: "令牌过期 (42001)", errcode: "指定错误码", blocked: "被用户拉黑" };

let drawnScenes = "";

/** `hooks.onPhone()` brings the phone into sight, where the answer appears. */
export function startConsole(hooks) {
  $("clock-steps").append(...STEPS.map(([seconds, label]) => h("button", {
    type: "button", className: "button", dataset: { testid: `clock-advance-${seconds}` },
    onClick: lever(async () => moved(await api.advance(seconds))),
  }, label)));
  $("clock-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const to = $("clock-to").value;
    if (!to) return;
    guarded($("clock-set"), async () => {
      await moved(await api.setClock(fromLocalInput(to)));
      delete $("clock-to").dataset.touched;
    });
  });
  $("clock-to").addEventListener("input", () => { $("clock-to").dataset.touched = "yes"; });
  $("modes").append(...Object.entries(MODES).map(([mode, label]) => h("button", {
    type: "button", className: "button", dataset: { testid: `mode-${mode}` }, onClick: lever(() => api.mode(mode), `已切到${label}模式`),
  }, label)));
  startPersonLevers(hooks);
  startFaults();
  store.on("clock", drawClock);
  store.on("state current", draw);
  setInterval(drawClock, 1000);
}

/** A click that runs once, shows what went wrong, and then asks for the state anew. */
function lever(work, done) {
  return (click) => guarded(click.currentTarget, async () => {
    await work();
    await store.refreshState();
    if (done) toast(done);
  });
}

function moved(answer) {
  if (answer.now) toast("时间已拨动");
  return store.refreshState();
}

function startPersonLevers({ onPhone }) {
  const doing = (work, options) => lever(async () => {
    await act(work, options);
    onPhone();
  });
  $("console-follow").addEventListener("click", doing((openid) => api.follow(openid)));
  $("unfollow").addEventListener("click", doing((openid) => api.unfollow(openid), { replies: false }));
  $("send-image").addEventListener("click", doing((openid) => api.image(openid)));
  $("location-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const [latitude, longitude] = [Number($("latitude").value), Number($("longitude").value)];
    guarded($("send-location"), async () => {
      if (Math.abs(latitude) > 90 || Math.abs(longitude) > 180) throw new Error("经纬度超出范围");
      await act((openid) => api.location(openid, latitude, longitude));
      onPhone();
    });
  });
  const consent = (accept) => lever(
    () => act((openid) => api.consent(openid, chosenTemplate().template_id, accept), { replies: false }),
    accept ? "已允许订阅一次" : "已拒绝");
  $("consent-accept").addEventListener("click", consent(true));
  $("consent-decline").addEventListener("click", consent(false));
  $("consent-popup").addEventListener("click", (click) => guarded(click.currentTarget, async () => {
    const template = chosenTemplate();
    onPhone();
    askConsent(template);
  }));
  store.on("state", () => drawScenes(doing));
}

/** Redrawn only when the codes change, so that a button keeps its focus. */
function drawScenes(doing) {
  const wanted = JSON.stringify(store.qr);
  if (wanted === drawnScenes) return;
  drawnScenes = wanted;
  $("scenes").replaceChildren(...store.qr.map((code) => h("button", {
    type: "button", className: "button", dataset: { testid: `scan-${code.scene}` }, title: code.scene,
    onClick: doing((openid) => api.scan(openid, code.scene)),
  }, code.title)));
}

function chosenTemplate() {
  const found = store.subscriptions.find((template) => template.template_id === $("consent-template").value);
  if (!found) throw new Error("没有可订阅的模板");
  return found;
}

function startFaults() {
  $("fault-kind").append(...Object.entries(FAULTS).map(([kind, label]) => h("option", { value: kind }, label)));
  $("fault-kind").addEventListener("change", drawFaultFields);
  $("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const kind = $("fault-kind").value;
    const fault = { kind, path: $("fault-path").value.trim() || "*", count: Number($("fault-count").value) };
    if (kind === "hang") fault.seconds = Number($("fault-seconds").value);
    if (kind === "errcode") fault.errcode = Number($("fault-errcode").value);
    guarded($("fault-add"), async () => {
      await api.addFault(fault);
      await store.refreshState();
      toast("故障已布置");
    });
  });
  $("fault-clear").addEventListener("click", lever(() => api.clearFaults(), "故障已清除"));
}

function drawFaultFields() {
  $("fault-seconds-label").hidden = $("fault-kind").value !== "hang";
  $("fault-errcode-label").hidden = $("fault-kind").value !== "errcode";
}

function draw() {
  const person = store.person();
  $("console-person").textContent = person ? `${person.label}${person.phone ? ` · ${person.phone}` : ""}` : "未选人";
  $("console-openid").textContent = person?.openid ?? "";
  $("console-follow").hidden = !person || person.followed;
  $("unfollow").hidden = !person?.followed;
  for (const button of $("modes").children) {
    button.setAttribute("aria-pressed", String(button.dataset.testid === `mode-${store.mode}`));
  }
  drawTemplates();
  drawFaults();
  drawClock();
}

function drawTemplates() {
  const select = $("consent-template");
  const wanted = select.value;
  select.replaceChildren(...store.subscriptions.map((template) => h("option", { value: template.template_id }, template.title)));
  if (store.subscriptions.some((template) => template.template_id === wanted)) select.value = wanted;
  for (const id of ["consent-accept", "consent-decline", "consent-popup"]) $(id).disabled = !store.subscriptions.length;
}

function drawFaults() {
  const rows = store.faults.map((fault) => {
    const left = fault.count;
    const facts = [FAULTS[fault.kind] ?? fault.kind, fault.path, fault.kind === "errcode" ? fault.errcode : "", left ? `还有 ${left} 次` : "", fault.seconds ? `${fault.seconds} 秒` : ""];
    return h("li", { dataset: { testid: "fault-row" } }, facts.filter(Boolean).join(" · "));
  });
  $("faults").replaceChildren(...(rows.length ? rows : [h("li", { className: "empty" }, "没有布置故障。")]));
  $("fault-clear").hidden = !rows.length;
}

function drawClock() {
  const now = fullTime(store.now());
  for (const id of ["clock-now", "people-clock"]) $(id).textContent = now;
  const field = $("clock-to");
  if (document.activeElement !== field && !field.dataset.touched) field.value = toLocalInput(store.now()).slice(0, 16);
}
