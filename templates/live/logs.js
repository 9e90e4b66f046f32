// Events and messages, the latest on top.

import { $, clock, h, still } from "./elements.js";
import { fly } from "./letters.js";
import { WAYS } from "./words.js";

const SHOWN = 80; // lines

export function clearLogs() {
  $("messages").replaceChildren();
  $("events").replaceChildren();
}
function keep(log, entry) {
  log.prepend(entry);
  while (log.children.length > SHOWN) log.lastChild.remove();
}
export function addEvent({ time, node: who, text, section }) {
  if (who === "lab") $("told").textContent = text;
  keep(
    $("events"),
    h("li", {}, h("span", { class: "time" }, clock(time)), " ", h("b", {}, who), ` ${text} `, h("small", {}, section)),
  );
}
export function addMessage(message, old) {
  const before = $(`m-${message.id}`);
  const entry = drawnMessage(message, before?.querySelector("details").open);
  if (before) before.replaceWith(entry);
  else keep($("messages"), entry);
  if (!before && !old && !still.matches) fly(message);
}
function drawnMessage(message, open) {
  const ways = message.legs
    .map(({ source, destination, way, sealed }) => `${source} ${WAYS[way]} ${destination}${sealed ? " (ESP)" : ""}`)
    .join(", ");
  return h(
    "li",
    { id: `m-${message.id}` },
    h(
      "details",
      { open },
      h(
        "summary",
        {},
        h("span", { class: "time" }, clock(message.time)),
        " ",
        h("b", {}, message.name),
        ` ${message.remark} `,
        h("small", {}, ways),
        message.arrived ? null : h("span", { class: "lost" }, " not seen to arrive"),
      ),
      h(
        "div",
        { class: "opened" },
        h(
          "div",
          {},
          ...message.layers.flatMap(({ title, fields }) => [
            h("h4", {}, title),
            h(
              "table",
              {},
              ...fields.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))),
            ),
          ]),
        ),
        h("div", {}, h("h4", {}, "Frames"), h("p", {}, message.legs.flatMap(({ frames }) => frames).join(", "))),
      ),
    ),
  );
}
