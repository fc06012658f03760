/** Building elements without ever parsing markup: every string becomes a text node. */

export const $ = (id) => document.getElementById(id);

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "className", "textContent", "htmlFor"]);

/** One element. `props`: on* listeners, `dataset`, `style` (object), DOM properties, else attributes. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "style") Object.assign(node.style, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** A symbol of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function avatar(label, seed, kind = "person") {
  const hash = [...String(seed)].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 9973, 7);
  const hue = (hash * 137) % 360;
  const number = /\d{1,2}$/.exec(String(label).trim())?.[0];
  const letter = number ?? [...String(label).trim()].find((char) => /\p{L}/u.test(char)) ?? "?";
  const style = kind === "account" ? {} : { background: `hsl(${hue} 38% 46%)` };
  return h("span", { className: `avatar avatar-${kind}`, style, "aria-hidden": "true" }, letter);
}

/** The address if it is safe to open or load, else null: http(s) anywhere, pictures also as data:image. */
export function safeUrl(value, { picture = false } = {}) {
  if (!value) return null;
  try {
    const url = new URL(value, location.href);
    if (url.protocol === "http:" || url.protocol === "https:") return url.href;
    if (picture && /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/i.test(value)) return value;
  } catch {
    return null;
  }
  return null;
}

export function link(url, ...children) {
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

const BARE = /https?:\/\/[^\s<>"'()()【】「」《》,。;:!?、]+/g;
const ANCHOR = /<a\s+href=(["'])(.*?)\1[^<>]*>([^<]*)<\/a>/gi;

function linkifyBare(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(BARE)) {
    const address = match[0].replace(/[.,;:!?]+$/, "");
    const url = safeUrl(address);
    if (!url) continue;
    parts.push(text.slice(end, match.index), link(url, address));
    end = match.index + address.length;
  }
  parts.push(text.slice(end));
  return parts;
}

/** Text nodes and links. With `anchors`, the one tag WeChat itself draws in an account's text, `<a href>`, is a link
 * when its address is http(s), or a phrase to send back (`onPhrase`) when it is weixin://bizmsgmenu. */
export function richText(text, { anchors = false, onPhrase = null } = {}) {
  const source = String(text ?? "");
  if (!anchors) return linkifyBare(source);
  const parts = [];
  let end = 0;
  for (const match of source.matchAll(ANCHOR)) {
    const node = anchorNode(match[2].replaceAll("&amp;", "&"), match[3], onPhrase);
    if (!node) continue;
    parts.push(...linkifyBare(source.slice(end, match.index)), node);
    end = match.index + match[0].length;
  }
  parts.push(...linkifyBare(source.slice(end)));
  return parts;
}

function anchorNode(address, label, onPhrase) {
  if (address.startsWith("weixin://bizmsgmenu") && onPhrase) {
    const query = new URLSearchParams(address.split("?")[1] ?? "");
    const phrase = query.get("msgmenucontent") ?? label;
    return h("button", { type: "button", className: "linklike", onClick: () => onPhrase(phrase) }, label);
  }
  const url = /^https?:\/\//i.test(address) ? safeUrl(address) : null;
  return url ? link(url, label) : null;
}

export function picture(url, alt, className = "picture") {
  const missing = () => h("span", { className: `${className} picture-missing` }, icon("image"), "图片无法显示");
  const source = safeUrl(url, { picture: true });
  if (!source) return missing();
  const image = h("img", { className, src: source, alt, decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(missing()), { once: true });
  return image;
}

export function toast(text, kind = "info") {
  const node = h("div", { className: `toast toast-${kind}`, dataset: { testid: "toast", kind } }, text);
  const rack = $(kind === "error" ? "toasts-error" : "toasts");
  rack.append(node);
  while (rack.children.length > 3) rack.firstChild.remove();
  setTimeout(() => node.remove(), kind === "error" ? 6000 : 2600);
}

/** Runs `work` once at a time for this button; a failure becomes a toast, never silence. */
export async function guarded(button, work) {
  if (button?.disabled) return undefined;
  if (button) button.disabled = true;
  try {
    return await work();
  } catch (error) {
    toast(error.message || "出错了,请再试一次", "error");
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

const MEMORY = "memberbot.sandbox.";

export function recall(key, fallback = null) {
  try {
    return localStorage.getItem(MEMORY + key) ?? fallback;
  } catch {
    return fallback;
  }
}

export function remember(key, value) {
  try {
    localStorage.setItem(MEMORY + key, value);
  } catch {
    return;
  }
}
