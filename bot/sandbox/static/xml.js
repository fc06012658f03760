/** Shows XML as text: indented when it came on one line, coloured by tokens, never parsed into the page. */

import { h } from "./dom.js";

const TOKEN = /<!\[CDATA\[[\s\S]*?\]\]>|<[^>]*>|[^<]+|</g;
const BROKEN = />[ \t]*\r?\n\s*</;
const INDENT = "  ";

/** A <pre> of the XML; tags, CDATA and text get classes of their own. */
export function xmlBlock(source) {
  const text = String(source ?? "");
  const tokens = text.match(TOKEN) ?? [];
  const parts = BROKEN.test(text) ? tokens.map(coloured) : indented(tokens);
  return h("pre", { className: "xml", tabindex: "0" }, h("code", {}, parts));
}

function coloured(token) {
  if (token.startsWith("<![CDATA[")) {
    return [h("span", { className: "x-mark" }, "<![CDATA["), h("span", { className: "x-text" }, token.slice(9, -3)),
      h("span", { className: "x-mark" }, "]]>")];
  }
  return h("span", { className: token.startsWith("<") ? "x-tag" : "x-text" }, token);
}

function indented(tokens) {
  let depth = 0;
  let previous = "";
  return tokens.map((token) => {
    const kind = kindOf(token);
    if (kind === "close") depth -= 1;
    const breaks = previous && (kind === "open" ? previous !== "text" : kind === "close" && previous === "close");
    const lead = breaks ? `\n${INDENT.repeat(Math.max(depth, 0))}` : "";
    if (kind === "open") depth += 1;
    previous = kind === "empty" ? "close" : kind;
    return [lead, coloured(token)];
  });
}

function kindOf(token) {
  if (token.startsWith("<![CDATA[") || !token.startsWith("<")) return "text";
  if (token.startsWith("</")) return "close";
  return token.endsWith("/>") || token.startsWith("<?") ? "empty" : "open";
}
