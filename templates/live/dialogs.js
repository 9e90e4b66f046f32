// What can be said of a node or a link, and done to it.

import { ask, drives, seen } from "./conversation.js";
import { $, h } from "./elements.js";
import { link, node, rooms } from "./map.js";
import { KINDS, impairment } from "./words.js";

function open(title, ...children) {
  $("about").replaceChildren(
    h("button", { class: "close", onclick: () => $("about").close() }, "Close"),
    h("h2", { id: "about-title" }, title),
    ...children.filter((child) => child !== null),
  );
  $("about").showModal();
}
const act = (text, command, args, off = false) =>
  h(
    "button",
    {
      disabled: off,
      onclick: () => {
        ask(command, args);
        $("about").close();
      },
    },
    text,
  );
const row = (...children) => h("div", { class: "row" }, ...children);
export function openNode(name) {
  const each = node(name),
    held = seen.bindings.nodes[name],
    place = seen.now.places[name];
  const actions = [];
  if (drives()) {
    if (place !== undefined) {
      const silent = h("input", { type: "checkbox" });
      const go = (to) =>
        h(
          "button",
          {
            disabled: to === place,
            onclick: () => {
              ask("move", { node: name, to, hint: silent.checked });
              $("about").close();
            },
          },
          to,
        );
      actions.push(
        row("Move to ", ...rooms().map((to) => go(to.name))),
        row(h("label", {}, silent, "without loss of carrier: its link layer hints at the new link")),
        row(act("Cut off", "cutoff", { node: name }), act("Readmit", "readmit", { node: name })),
      );
    }
    if (held !== undefined)
      actions.push(
        row(
          act("Kill its daemon", "kill", { node: name }, held === null),
          act("Restart its daemon", "restart", { node: name }),
        ),
      );
  }
  open(
    `${name}, ${KINDS[each.kind]}`,
    h("p", {}, each.addresses.join(", ")),
    place === undefined ? null : h("p", {}, `on link ${place}`),
    held === null ? h("p", { class: "lost" }, "its daemon does not answer") : null,
    ...actions,
  );
}
export function openLink(name) {
  const now = seen.now.impairments[name] ?? {};
  const number = (label, field, scale, most, unit) =>
    h(
      "label",
      {},
      label,
      h("input", {
        type: "number",
        name: field,
        "data-scale": scale,
        min: 0,
        max: most,
        step: "any",
        value: +((now[field] ?? 0) / scale).toFixed(6),
      }),
      unit,
    );
  const form = h(
    "form",
    {
      onsubmit: (event) => {
        event.preventDefault();
        const fields = [...form.querySelectorAll("input")].map((input) => [
          input.name,
          (input.valueAsNumber || 0) * input.dataset.scale,
        ]);
        ask("impair", { link: name, ...Object.fromEntries(fields) });
        $("about").close();
      },
    },
    number("delay", "delay", 0.001, 10000, "ms"),
    number("±", "jitter", 0.001, 10000, "ms"),
    number("loses", "loss", 0.01, 100, "%"),
    number("carries", "rate", 1e6, 30000, "Mbit/s (0: all)"),
    h("button", {}, "Apply"),
    act("Mend", "impair", { link: name }),
  );
  open(
    `Link ${name}`,
    h("p", {}, `${link(name).prefix}${impairment(now) ? `; ${impairment(now)}` : ""}`),
    seen.network.captures.includes(name)
      ? h("p", {}, h("a", { href: `captures/${encodeURIComponent(name)}.pcapng`, download: true }, "Capture so far"))
      : null,
    drives() ? form : null,
  );
}
