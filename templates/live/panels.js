// What stands beside the network: bindings and streams.

import { ask, seen } from "./conversation.js";
import { $, h, line, s } from "./elements.js";

// Bindings in tables; those that changed are marked for a moment.
export function drawCaches(before) {
  const shown = Object.entries(seen.bindings.nodes);
  const fresh = ({ rows }) => JSON.stringify(rows.map(({ cells }) => cells.slice(0, 4)));
  $("caches").replaceChildren(
    ...shown.map(([name, held]) => {
      const was = before.nodes[name];
      const changed = ((was ?? null) === null) !== (held === null) || (held && was && fresh(held) !== fresh(was));
      return h(
        "div",
        { class: changed && was !== undefined ? "cache changed" : "cache", "data-node": name },
        h(
          "h3",
          {},
          name,
          h(
            "small",
            {},
            held === null
              ? " its daemon does not answer"
              : held.place
                ? ` ${held.place}`
                : held.rows.length
                  ? ""
                  : " no bindings",
          ),
        ),
        ...(held?.rows ?? []).map(({ cells }) =>
          h(
            "p",
            { class: "entry" },
            ...cells.filter(Boolean).map((cell, place) => h(place ? "span" : "b", {}, `${cell} `)),
          ),
        ),
        held && Object.keys(held.drops).length
          ? h(
              "p",
              { class: "drops" },
              `dropped: ${Object.entries(held.drops)
                .map(([why, count]) => `${count} ${why}`)
                .join(", ")}`,
            )
          : null,
      );
    }),
  );
}

// Streams over time: delay as a curve, losses as bars.
const HIGH = 130,
  LEFT = 44,
  TOP = 14,
  FLOOR = 92;
export function drawFlows() {
  $("flows").replaceChildren(...seen.flows.flows.map(drawnFlow));
  if (!seen.flows.flows.length) $("flows").append(h("p", { class: "soft" }, "no stream runs"));
}
function drawnFlow(flow, number) {
  const WIDE = Math.max($("flows").clientWidth, 200),
    { span, moves } = seen.flows,
    x = (at) => LEFT + (WIDE - LEFT - 6) * (1 + at / span);
  const most = Math.max(0.001, ...flow.bins.map(([, , , delay]) => delay ?? 0)),
    most_lost = Math.max(4, ...flow.bins.map(([, , lost]) => lost));
  const y = (delay) => FLOOR - ((FLOOR - TOP) * delay) / most;
  let path = "",
    pen = "M";
  for (const [at, , , delay] of flow.bins) {
    if (delay === null) pen = "M";
    else {
      path += `${pen}${x(at).toFixed(1)} ${y(delay).toFixed(1)}`;
      pen = "L";
    }
  }
  const lost = flow.lost ? `${flow.lost} lost` : "none lost";
  return h(
    "div",
    { class: "flow" },
    h(
      "h3",
      {},
      s(
        "svg",
        { class: "key", viewBox: "0 0 40 12", "aria-hidden": "true" },
        line({ x: 0, y: 6 }, { x: 40, y: 6 }, `stroke s${number % 6}`),
      ),
      flow.name,
      h("small", {}, `${flow.rate.toFixed(0)} packets/s · in ${span} s ${flow.sent} sent, ${lost}`),
    ),
    h("p", {}, flow.way, flow.way && !flow.arrives ? h("b", { class: "lost" }, " does not arrive") : null),
    s(
      "svg",
      {
        viewBox: `0 0 ${WIDE} ${HIGH}`,
        role: "img",
        "aria-label": `${flow.name}: delay and losses of the last ${span} seconds, ${lost}`,
      },
      line({ x: LEFT, y: FLOOR }, { x: WIDE, y: FLOOR }, "axis"),
      line({ x: LEFT, y: TOP }, { x: WIDE, y: TOP }, "axis"),
      s("text", { class: "tick end", x: LEFT - 4, y: TOP + 4 }, `${(most * 1000).toPrecision(2)} ms`),
      s("text", { class: "tick end", x: LEFT - 4, y: FLOOR }, "delay"),
      s("text", { class: "tick end", x: LEFT - 4, y: HIGH - 12 }, "lost"),
      s("text", { class: "tick", x: LEFT, y: HIGH - 1 }, `${span} s ago`),
      s("text", { class: "tick end", x: WIDE - 6, y: HIGH - 1 }, "now"),
      ...moves.map((at) => line({ x: x(at), y: 2 }, { x: x(at), y: HIGH - 12 }, "moved")),
      ...flow.bins
        .filter(([, , gone]) => gone)
        .map(([at, , gone]) =>
          s("rect", {
            class: "loss",
            x: x(at) - 1,
            y: HIGH - 12 - (24 * gone) / most_lost,
            width: 4,
            height: (24 * gone) / most_lost,
          }),
        ),
      s("path", { class: `delay s${number % 6}`, d: path }),
    ),
  );
}
$("new-stream").addEventListener("submit", (event) => {
  event.preventDefault();
  const { source, destination, every } = event.target.elements;
  ask("stream", { source: source.value, destination: destination.value, every: every.valueAsNumber / 1000 });
});

// Buttons stay as long as their streams: figures are drawn anew while somebody presses.
export function offerEnds() {
  $("ends").replaceChildren(
    ...seen.now.streams.map((name) => h("button", { onclick: () => ask("endstream", { name }) }, `End ${name}`)),
  );
}

// Whom a stream can be from and to.
export function offerStreams() {
  const network = seen.network;
  for (const select of document.querySelectorAll("#new-stream select")) {
    select.replaceChildren(...network.nodes.map((each) => h("option", {}, each.name)));
    const wanted = select.name === "source" ? ["correspondent", "mobile-node"] : ["mobile-node"];
    select.value =
      network.nodes.filter(({ kind }) => wanted.includes(kind)).at(select.name === "source" ? 0 : -1)?.name ??
      network.nodes[0].name;
  }
}
