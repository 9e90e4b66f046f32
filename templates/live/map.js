// The network: nodes, links, who is where, and what runs between them.

import { seen } from "./conversation.js";
import { openLink, openNode } from "./dialogs.js";
import { isDragged, pick } from "./dragging.js";
import { $, line, s } from "./elements.js";
import { KINDS, impairment } from "./words.js";

export const layers = {};
export const node = (name) => seen.network.nodes.find((each) => each.name === name);
export const link = (name) => seen.network.links.find((each) => each.name === name);
export const rooms = () => seen.network.links.filter((each) => each.room !== null);
export const placeOf = (name) => node(name)?.place ?? seen.now?.mobile[name] ?? null;

function pressable(name, describes, open, ...children) {
  return s(
    "g",
    {
      class: "press",
      tabindex: 0,
      role: "button",
      "aria-label": describes,
      "data-name": name,
      onclick: open,
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          open();
        }
      },
    },
    ...children,
  );
}
export function drawNetwork() {
  const network = seen.network;
  $("title").textContent = `mip6lab ${network.topology}`;
  document.title = `${network.topology} · mip6lab live`;
  const map = $("map");
  map.replaceChildren();
  map.setAttribute("viewBox", `0 0 ${network.width ?? 100} ${network.height ?? 40}`);
  for (const name of ["edges", "hung", "tubes", "strokes", "held", "links", "nodes", "mobile", "letters"]) {
    layers[name] = s("g", { "data-layer": name });
    map.append(layers[name]);
  }
  if (!network.drawn) {
    map.append(s("text", { x: 8, y: 22 }, "this network is in pieces, and is not drawn"));
    return;
  }
  for (const each of network.links) {
    if (each.ends) layers.edges.append(line(placeOf(each.ends[0]), placeOf(each.ends[1]), "edge"));
    layers.links.append(drawnLink(each));
  }
  for (const [name, bar] of network.hangers) layers.edges.append(line(placeOf(name), link(bar).place, "edge"));
  for (const each of network.nodes) if (each.place) layers.nodes.append(drawnNode(each));
}
function drawnLink(each) {
  const { x, y } = each.place;
  const shape = each.ends
    ? [s("circle", { class: "touch", cx: x, cy: y, r: 14 })]
    : [
        s("rect", { class: "touch", x: x - 40, y: y - 14, width: 80, height: 40 }),
        line({ x: x - 30, y }, { x: x + 30, y }, "bar"),
        s("text", { class: "label halo", x: x - 10, y: y + 19 }, each.name),
      ];
  return pressable(
    each.name,
    `link ${each.name}, ${each.prefix}`,
    () => openLink(each.name),
    ...shape,
    s("text", { class: "impaired halo", x: x + (each.ends ? 8 : 10), y: y + (each.ends ? 0 : 19) }),
  );
}
function drawnNode(each) {
  const { x, y } = each.place,
    half = Math.max(26, 4.3 * each.name.length + 6);
  const square = each.kind === "router" || each.kind === "home-agent";
  return pressable(
    each.name,
    `${each.name}, ${KINDS[each.kind]}`,
    () => openNode(each.name),
    s("rect", { class: "box", x: x - half, y: y - 15, width: 2 * half, height: 30, rx: square ? 3 : 15 }),
    each.kind === "home-agent"
      ? s("rect", { class: "inner", x: x - half + 3, y: y - 12, width: 2 * half - 6, height: 24, rx: 2 })
      : null,
    s("text", { class: "name", x, y: y + 4.5 }, each.name),
    cross({ x: x + half, y: y - 15 }),
  );
}
const cross = ({ x, y }) =>
  s("path", { class: "fault", d: `M${x - 6} ${y - 6}l12 12m-12 0l12 -12`, visibility: "hidden" });

export function drawMobile() {
  if (!seen.now || !seen.network?.drawn) return;
  layers.hung.replaceChildren();
  for (const [name, at] of Object.entries(seen.now.mobile)) {
    layers.hung.append(line(at, link(seen.now.places[name]).place, "hung"));
    const shape = layers.mobile.querySelector(`[data-name="${CSS.escape(name)}"]`) ?? drawnMobile(name);
    shape.setAttribute("aria-label", `${name}, mobile node, on link ${seen.now.places[name]}`);
    if (!isDragged(name)) shape.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }
  drawHeld();
}
function drawnMobile(name) {
  const shape = pressable(
    name,
    name,
    () => openNode(name),
    s("circle", { class: "box", r: 20 }),
    s("text", { class: "name", y: 4.5 }, name),
    cross({ x: 15, y: -15 }),
  );
  shape.classList.add("mobile");
  shape.addEventListener("pointerdown", (event) => pick(event, shape, name));
  layers.mobile.append(shape);
  return shape;
}

// Which daemons do not answer.
export function markDaemons() {
  for (const shape of [...(layers.nodes?.children ?? []), ...(layers.mobile?.children ?? [])]) {
    const down = seen.bindings.nodes[shape.dataset.name] === null;
    shape.classList.toggle("down", down);
    shape.querySelector(".fault").setAttribute("visibility", down ? "visible" : "hidden");
  }
}

// What links do to packets.
export function drawImpairments() {
  for (const shape of layers.links?.children ?? []) {
    const impaired = shape.querySelector(".impaired");
    impaired.textContent = impairment(seen.now.impairments[shape.dataset.name] ?? {});
  }
}

// Curves where packets are sent by bindings.
const bent = (from, middle, to) => 0.09 * from + 0.42 * middle + 0.49 * to; // seven tenths along a curve
export function drawHeld() {
  if (!layers.held) return;
  layers.held.replaceChildren();
  for (const [name, held] of Object.entries(seen.bindings.nodes)) {
    for (const { path } of held?.rows ?? []) {
      const from = path && placeOf(name),
        to = path && placeOf(path.to);
      if (!from || !to || from === to) continue;
      const beside = (side) => ({
        x: (from.x + to.x) / 2 + side * (to.y - from.y) * 0.22,
        y: (from.y + to.y) / 2 - side * (to.x - from.x) * 0.22,
      });
      const side = path.way === "tunnel" ? -1 : 1;
      const middle = beside(beside(side).y < seen.network.height ? side : -side);
      layers.held.append(
        s("path", { class: `held ${path.way}`, d: `M${from.x} ${from.y}Q${middle.x} ${middle.y} ${to.x} ${to.y}` }),
        s("text", { class: "holds", x: bent(from.x, middle.x, to.x), y: bent(from.y, middle.y, to.y) }, path.way),
      );
    }
  }
}

// Packets of streams: where they run.
export function drawStrokes() {
  if (!layers.strokes) return;
  const strokes = seen.flows.strokes,
    same = JSON.stringify([strokes, seen.flows.losses]);
  if (layers.strokes.dataset.same === same) return; // so that dots run on
  layers.strokes.dataset.same = same;
  layers.tubes.replaceChildren(
    ...strokes
      .filter(({ way }) => way === "tunnel")
      .map(({ stream, from, to }) => line(from, to, `tube s${stream % 6}`)),
  );
  layers.strokes.replaceChildren(
    ...strokes.flatMap(({ stream, from, to }) => [
      line(from, to, `stroke s${stream % 6}`),
      line(from, to, `s${stream % 6} run`),
      tip(stream, from, to),
    ]),
    ...seen.flows.losses.map(({ stream, at }) =>
      s("path", { class: `cross s${stream % 6}`, d: `M${at.x + 28} ${at.y - 8}l16 16m-16 0l16 -16` }),
    ),
  );
}
function tip(stream, from, to) {
  const turn = (Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI;
  return s("path", {
    class: `tip s${stream % 6}`,
    d: "M6 0L-5 -5V5Z",
    transform: `translate(${(from.x + to.x) / 2} ${(from.y + to.y) / 2}) rotate(${turn})`,
  });
}
