/** The list of people one can be: members, strangers, staff; search; a new stranger. */

import { $, avatar, guarded, h, toast } from "./dom.js";
import { api } from "./api.js";
import { store } from "./store.js";

const GROUPS = [["member", "成员"], ["stranger", "陌生人"], ["staff", "店员"]];
const SHOWN = 100;

/** `onChoose(openid)` is called when a person is picked. */
export function startPeople(onChoose) {
  const search = $("people-search");
  const list = $("people-list");
  const draw = () => drawPeople(list, search.value.trim().toLowerCase(), onChoose);
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") list.querySelector("button")?.click();
  });
  list.addEventListener("keydown", (event) => moveFocus(list, event));
  $("new-stranger").addEventListener("click", (click) => guarded(click.currentTarget, () => addStranger(onChoose)));
  store.on("state current unread", draw);
}

async function addStranger(onChoose) {
  const count = store.people.filter((person) => person.group === "stranger").length;
  const { openid } = await api.person(`陌生人 ${count + 1}`);
  await store.refreshState();
  $("people-search").value = "";
  onChoose(openid);
  toast("来了一位新陌生人");
}

function matches(person, wanted) {
  return [person.label, person.note, person.phone, person.openid].some((text) => String(text ?? "").toLowerCase().includes(wanted));
}

function drawPeople(list, wanted, onChoose) {
  const focused = document.activeElement?.dataset?.testid;
  const blocks = GROUPS.flatMap(([group, title]) => {
    const found = store.people.filter((person) => person.group === group && matches(person, wanted));
    if (!found.length) return [];
    const rows = found.slice(0, SHOWN).map((person) => h("li", {}, personRow(person, onChoose)));
    if (found.length > SHOWN) rows.push(h("li", { className: "empty" }, `还有 ${found.length - SHOWN} 人,请用上面的搜索。`));
    const name = `people-${group}`;
    return [h("section", { "aria-labelledby": name },
      h("h2", { id: name, className: "group" }, title, h("span", { className: "count" }, String(found.length))), h("ul", {}, rows))];
  });
  list.replaceChildren(...(blocks.length ? blocks : [h("p", { className: "empty" }, wanted ? "没有找到这个人。" : "还没有人。")]));
  if (focused?.startsWith("person-")) list.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus();
}

function personRow(person, onChoose) {
  const chosen = person.openid === store.current;
  const unread = store.unread.get(person.openid) ?? 0;
  const phone = person.note?.includes(person.phone) ? null : person.phone;
  const line = person.note || (person.followed ? "已关注" : "还没有关注");
  return h("button", {
    type: "button", className: "person", dataset: { testid: `person-${person.openid}` },
    "aria-current": chosen ? "true" : undefined, onClick: () => onChoose(person.openid),
  },
  h("span", { className: "avatar-box" }, avatar(person.label, person.openid),
    unread ? h("span", { className: "badge" }, h("span", { className: "sr-only" }, "未读 "), String(unread)) : null),
  h("span", { className: "person-text" },
    h("span", { className: "person-name" }, h("span", { className: "person-label" }, person.label),
      person.followed ? null : h("span", { className: "chip" }, "未关注"),
      phone ? h("span", { className: "person-phone" }, phone) : null),
    h("span", { className: "person-line" }, line)));
}

function moveFocus(list, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const rows = [...list.querySelectorAll("button.person")];
  rows[rows.indexOf(document.activeElement) + step]?.focus();
}
