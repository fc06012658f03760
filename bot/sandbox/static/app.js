/** Wires the page together: who is chosen lives in the address (#openid); #log is the log page. */

import { startChat } from "./chat.js";
import { fill, startComposer } from "./composer.js";
import { startConsole } from "./console.js";
import { $, recall, remember } from "./dom.js";
import { startLog } from "./log.js";
import { closeDrawers, openPanel, showLogPage, startPanel } from "./panel.js";
import { startPeople } from "./people.js";
import { store } from "./store.js";
import { showTurn, startTurns } from "./turns.js";

const LOG = "log";

function hashName() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function choose(openid) {
  closeDrawers();
  if (hashName() === openid) followHash();
  else location.hash = encodeURIComponent(openid);
}

/** Makes the page show what the address names; an unknown name falls back to who was chosen last, or the first. */
function followHash() {
  const name = hashName();
  showLogPage(name === LOG);
  if (!store.people.length) return;
  const candidates = [name, store.current, recall("openid"), store.people[0].openid];
  const openid = candidates.find((candidate) => candidate && store.person(candidate));
  if (name !== LOG && name !== openid) history.replaceState(null, "", `#${encodeURIComponent(openid)}`);
  remember("openid", openid);
  $("log-back").href = `#${encodeURIComponent(openid)}`;
  store.choose(openid);
}

function drawConnection() {
  const words = { connecting: "正在连接", open: "已连接", lost: "连接断了,正在重连" };
  const dot = $("connection");
  dot.dataset.state = store.connection;
  dot.title = words[store.connection];
  $("connection-text").textContent = words[store.connection];
}

startPeople(choose);
startChat({
  onCode: fill,
  onTurn: (turn) => {
    openPanel("xml");
    showTurn(turn);
  },
});
startComposer();
startTurns();
startLog();
startConsole({ onPhone: closeDrawers });
startPanel();
store.on("connection", drawConnection);
store.on("state", () => !store.person() && followHash());
window.addEventListener("hashchange", followHash);
followHash();
drawConnection();
store.start();
