/** The bar under the conversation: follow button, text, menu with pop-up sub-menus, emoji and attachment trays. */

import { $, guarded, h, icon, recall, remember, safeUrl, toast } from "./dom.js";
import { api } from "./api.js";
import { act, store } from "./store.js";

const EMOJI = "😀 😁 😂 🤣 😊 😍 😘 😎 🤔 😅 😭 😤 😱 🥳 🙏 👍 👌 💪 👏 🎉 ❤️ 🌹 ☕ 🍰 🥛 🍎 🛒 🎁".split(" ");
const IME_KEYCODE = 229;
const drafts = new Map();
let draftOf = null;

export function startComposer() {
  const field = $("composer");
  $("keys").addEventListener("submit", (event) => {
    event.preventDefault();
    send(field);
  });
  field.addEventListener("keydown", (event) => {
    const composing = event.isComposing || event.keyCode === IME_KEYCODE;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    send(field);
  });
  field.addEventListener("input", () => fit(field));
  field.addEventListener("focus", closeTray);
  $("menu-toggle").addEventListener("click", () => setMode($("bar").dataset.mode === "menu" ? "keys" : "menu"));
  $("keyboard-toggle").addEventListener("click", () => {
    setMode("keys");
    field.focus();
  });
  $("follow").addEventListener("click", (click) => guarded(click.currentTarget, async () => {
    await act((openid) => api.follow(openid));
    await store.refreshState();
  }));
  $("emoji").addEventListener("click", () => toggleTray("emoji", emojiTray));
  $("plus").addEventListener("click", () => toggleTray("plus", plusTray));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("#menus")) closeMenus();
    if (!event.target.closest("#bar")) closeTray();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    closeMenus();
    closeTray();
  });
  store.on("state", () => drawBar());
  store.on("current", () => swapDraft(field));
  setMode(recall("bar", "menu"));
}

/** Puts text into the field for the person to send, e.g. the code of an SMS. */
export function fill(text) {
  const field = $("composer");
  if (!field.offsetParent) setMode("keys");
  field.value = text;
  fit(field);
  field.focus();
}

async function send(field) {
  const text = field.value;
  if (!text.trim()) return;
  field.value = "";
  fit(field);
  const openid = store.current;
  try {
    await act((person) => api.say(person, text));
  } catch (error) {
    if (store.current === openid && !field.value) field.value = text;
    else drafts.set(openid, text);
    fit(field);
    toast(error.message, "error");
  }
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 120)}px`;
  $("bar").dataset.filled = String(Boolean(field.value.trim()));
}

function swapDraft(field) {
  if (draftOf) drafts.set(draftOf, field.value);
  draftOf = store.current;
  field.value = drafts.get(draftOf) ?? "";
  fit(field);
  closeTray();
  drawBar();
}

function setMode(mode) {
  $("bar").dataset.mode = mode;
  $("menu-toggle").setAttribute("aria-pressed", String(mode === "menu"));
  remember("bar", mode);
  closeMenus();
  closeTray();
}

let drawn = "";

function drawBar() {
  const person = store.person();
  $("bar").dataset.followed = String(Boolean(person?.followed));
  const menu = person?.menu ?? store.menu;
  $("bar").dataset.menu = String(menu.length > 0);
  $("follow").hidden = !person || person.followed;
  const wanted = JSON.stringify(menu);
  if (wanted === drawn) return;
  drawn = wanted;
  $("menus").replaceChildren(...menu.map(menuEntry));
}

function menuEntry(entry) {
  const children = entry.sub_button ?? [];
  if (!children.length) return h("div", { className: "menu" }, menuLeaf(entry, "menu-top"));
  const popup = h("div", { className: "submenu", role: "menu", hidden: true }, children.map((child) => menuLeaf(child, "menu-item")));
  const top = h("button", {
    type: "button", className: "menu-top", "aria-haspopup": "menu", "aria-expanded": "false",
    dataset: { testid: `menu-${entry.name}` },
    onClick: () => {
      const open = popup.hidden;
      closeMenus();
      popup.hidden = !open;
      top.setAttribute("aria-expanded", String(open));
    },
  }, icon("lines"), entry.name);
  return h("div", { className: "menu" }, popup, top);
}

function menuLeaf(entry, className) {
  const role = className === "menu-item" ? "menuitem" : undefined;
  const dataset = { testid: `menu-${entry.key || entry.name}` };
  return h("button", { type: "button", className, role, dataset, onClick: (click) => press(entry, click.currentTarget) }, entry.name);
}

async function press(entry, button) {
  closeMenus();
  if (entry.type === "view") {
    const url = safeUrl(entry.url);
    if (!url) {
      toast("这个菜单的网址不合法", "error");
      return;
    }
    window.open(url, "_blank", "noopener,noreferrer");
    await guarded(button, () => act((openid) => api.view(openid, entry.url), { replies: false }));
    return;
  }
  await guarded(button, () => act((openid) => api.menu(openid, entry.key)));
}

function closeMenus() {
  for (const popup of document.querySelectorAll(".submenu")) popup.hidden = true;
  for (const top of document.querySelectorAll(".menu-top[aria-expanded]")) top.setAttribute("aria-expanded", "false");
}

function toggleTray(name, build) {
  const tray = $("tray");
  const open = tray.dataset.name !== name;
  closeTray();
  if (!open) return;
  tray.dataset.name = name;
  tray.replaceChildren(...build());
  tray.hidden = false;
  $(name).setAttribute("aria-expanded", "true");
}

function closeTray() {
  const tray = $("tray");
  tray.hidden = true;
  delete tray.dataset.name;
  for (const name of ["emoji", "plus"]) $(name).setAttribute("aria-expanded", "false");
}

function emojiTray() {
  const field = $("composer");
  const insert = (char) => {
    field.setRangeText(char, field.selectionStart, field.selectionEnd, "end");
    fit(field);
  };
  return [h("div", { className: "emoji-grid" }, EMOJI.map((char) => h("button", {
    type: "button", className: "emoji-key", "aria-label": `表情 ${char}`, onClick: () => insert(char),
  }, char)))];
}

function plusTray() {
  const tile = (name, label, onClick) => h("button", { type: "button", className: "tile", dataset: { testid: `plus-${name}` }, onClick },
    h("span", { className: "tile-icon" }, icon(name)), label);
  const doing = (work) => (click) => guarded(click.currentTarget, async () => {
    await act(work);
    closeTray();
  });
  return [h("div", { className: "tiles" },
    tile("image", "照片", doing((openid) => api.image(openid))),
    tile("location", "位置", doing((openid) => api.location(openid, 31.2304, 121.4737))),
    tile("scan", "扫一扫", () => $("tray").replaceChildren(sceneList(doing))))];
}

function sceneList(doing) {
  if (!store.qr.length) return h("p", { className: "empty" }, "沙箱里没有二维码。");
  return h("div", { className: "scene-list" }, store.qr.map((code) => h("button", {
    type: "button", className: "button", dataset: { testid: `plus-scan-${code.scene}` },
    onClick: doing(async (openid) => {
      await api.scan(openid, code.scene);
      await store.refreshState();
    }),
  }, icon("scan"), code.title)));
}
