/** The side panel's tabs, the drawers of small screens, and the full-width log page. */

import { $, recall, remember } from "./dom.js";
import { setLogVisible } from "./log.js";

const TABS = ["xml", "books", "log", "console"];
const WIDE = "(min-width: 1100px)";
const MIDDLE = "(min-width: 760px)";

let tab = "xml";

export function startPanel() {
  for (const name of TABS) $(`tab-${name}`).addEventListener("click", () => showTab(name));
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
    showTab(next);
    $(`tab-${next}`).focus();
  });
  $("people-toggle").addEventListener("click", () => toggleDrawer("people"));
  $("panel-toggle").addEventListener("click", () => toggleDrawer("panel"));
  $("scrim").addEventListener("click", closeDrawers);
  for (const close of document.querySelectorAll("[data-close-drawer]")) close.addEventListener("click", closeDrawers);
  document.addEventListener("keydown", (event) => event.key === "Escape" && closeDrawers());
  for (const query of [WIDE, MIDDLE]) matchMedia(query).addEventListener("change", closeDrawers);
  showTab(recall("tab", "xml"));
  closeDrawers();
}

export function showTab(name) {
  tab = TABS.includes(name) ? name : "xml";
  remember("tab", tab);
  for (const each of TABS) {
    const chosen = each === tab;
    $(`tab-${each}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${each}`).tabIndex = chosen ? 0 : -1;
    $(`pane-${each}`).hidden = !chosen;
  }
  noteLog();
}

/** The log page fills the window; leaving it brings the panel back as it was. */
export function showLogPage(shown) {
  const view = shown ? "log" : "chat";
  if (document.body.dataset.view === view) return;
  document.body.dataset.view = view;
  if (shown) showTab("log");
  closeDrawers();
}

const isDrawer = (name) => !matchMedia(name === "panel" ? WIDE : MIDDLE).matches && document.body.dataset.view !== "log";

function toggleDrawer(name) {
  if (!isDrawer(name)) {
    document.body.toggleAttribute("data-panel-folded");
    noteLog();
    return;
  }
  const open = document.body.dataset.drawer === name;
  closeDrawers();
  if (open) return;
  document.body.dataset.drawer = name;
  sync();
  ($(name).querySelector("[aria-selected=true], [aria-current=true], input") ?? $(name)).focus();
}

export function openPanel(name) {
  showTab(name);
  document.body.removeAttribute("data-panel-folded");
  if (isDrawer("panel") && document.body.dataset.drawer !== "panel") toggleDrawer("panel");
}

export function closeDrawers() {
  const was = document.body.dataset.drawer;
  delete document.body.dataset.drawer;
  sync();
  if (was && $(was).contains(document.activeElement)) $(`${was}-toggle`).focus();
}

/** Hidden drawers take no focus and no pointer; a panel that nobody sees loads nothing. */
function sync() {
  for (const name of ["people", "panel"]) {
    const open = document.body.dataset.drawer === name;
    $(name).inert = isDrawer(name) && !open;
    $(`${name}-toggle`).setAttribute("aria-expanded", String(isDrawer(name) ? open : !document.body.hasAttribute("data-panel-folded")));
  }
  $("scrim").hidden = !document.body.dataset.drawer;
  noteLog();
}

function noteLog() {
  const folded = document.body.hasAttribute("data-panel-folded") && document.body.dataset.view !== "log";
  setLogVisible(tab === "log" && !folded && !$("panel").inert);
}
