// The live page: draws what the server tells (docs/live.md), and says what whoever has the token wants done.

const SHORT = { "Binding Update": "BU", "Binding Acknowledgement": "BA", "Binding Refresh Request": "BRR", "Binding Error": "BE",
  "Home Test Init": "HoTI", "Care-of Test Init": "CoTI", "Home Test": "HoT", "Care-of Test": "CoT",
  "Home Agent Address Discovery Request": "DHAAD?", "Home Agent Address Discovery Reply": "DHAAD",
  "Mobile Prefix Solicitation": "MPS", "Mobile Prefix Advertisement": "MPA", "Parameter Problem": "ICMP" };
const KINDS = { "router": "router", "home-agent": "home agent", "correspondent": "correspondent", "mobile-node": "mobile node", "host": "host" };
const WAYS = { plain: "→", tunnel: "⇒", direct: "⇢" };
const NEAR = 60;        // units of the drawing within which a link catches a node that is dropped
const SHOWN = 80;       // lines of a log
const AGAIN_AFTER = 2000;
const FLIGHT = 450, APART = 250, BACKLOG = 4000;  // milliseconds: a message from link to link, between two, and of those that wait
const $ = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");

const seen = { network: null, now: null, bindings: { nodes: {} }, flows: { flows: [], strokes: [], losses: [] } };
const messages = new Map();  // by id, the latest last
let socket = null, dragged = null, asked = 0;
const waiting = new Map();   // what is to be done with answers, by number

// Elements: text is only ever text.
const make = (where) => (tag, attributes = {}, ...children) => {
  const made = where(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
};
const h = make((tag) => document.createElement(tag));
const s = make((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
const line = (from, to, kind) => s("line", { class: kind, x1: from.x, y1: from.y, x2: to.x, y2: to.y });
const clock = (seconds) => seconds.toFixed(3);

// Who drives: the token comes in the fragment, which no server sees, and leaves the address before somebody reads it there.
const told = new URLSearchParams(location.hash.slice(1)).get("token");
if (told !== null) {
  sessionStorage.setItem("token", told);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");
const drives = () => document.body.classList.contains("drives");

function ask(command, args = {}, done = () => {}) {
  const id = ++asked;
  waiting.set(id, { command, done });
  socket.send(JSON.stringify({ id, token, command, arguments: args }));
}
const say = (text) => { $("said").textContent = text; };
function answered(answer) {
  const { command, done } = waiting.get(answer.id) ?? {};
  waiting.delete(answer.id);
  if (command === "hello") setDriving(answer.ok);
  else say(answer.ok ? "" : `${command ?? "command"}: ${answer.error}`);
  if (!answer.ok && command === "move") drawMobile();  // back to where it is
  if (answer.ok && done) done(answer.result);
}
function setDriving(yes) {
  const may = yes && seen.network !== null && !seen.network.playing;
  document.body.classList.toggle("drives", may);
  $("role").textContent = seen.network?.playing ? `the scenario ${seen.network.playing} is played` : may ? "you drive" : "you watch";
}

// The conversation with the server.
function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/watch`);
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onopen = () => { $("status").textContent = "live"; $("status").className = "on"; };
  socket.onclose = () => {
    waiting.clear();
    document.body.classList.remove("drives");
    $("status").className = "off";
    $("status").textContent = "the lab has ended, or cannot be reached; waiting for one";
    setTimeout(connect, AGAIN_AFTER);
  };
}
const TAKES = {
  snapshot: ({ parts }) => {
    messages.clear();
    $("messages").replaceChildren();
    $("events").replaceChildren();
    for (const part of parts) take(part, true);
    if (token !== null) ask("hello"); else setDriving(false);
  },
  network: (part) => { seen.network = part; drawNetwork(); drawBindings(seen.bindings); drawStrokes(); },
  now: (part) => { seen.now = part; drawMobile(); drawImpairments(); },
  bindings: (part) => { const before = seen.bindings; seen.bindings = part; drawBindings(before); },
  events: (part) => part.events.forEach(addEvent),
  messages: (part, old) => part.messages.forEach((message) => addMessage(message, old)),
  flows: (part) => { seen.flows = part; drawStrokes(); drawFlows(); },
  ended: () => { $("status").textContent = "the lab has ended"; $("status").className = "off"; },
  answer: answered,
};
const take = (part, old = false) => TAKES[part.kind]?.(part, old);

// The network.
const layers = {};
const node = (name) => seen.network.nodes.find((each) => each.name === name);
const link = (name) => seen.network.links.find((each) => each.name === name);
const rooms = () => seen.network.links.filter((each) => each.room !== null);
const placeOf = (name) => node(name)?.place ?? seen.now?.mobile[name] ?? null;

function pressable(name, describes, open, ...children) {
  return s("g", { class: "press", tabindex: 0, role: "button", "aria-label": describes, "data-name": name,
    onclick: open, onkeydown: (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); }
    } }, ...children);
}
function drawNetwork() {
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
  for (const select of document.querySelectorAll("#new-stream select")) {
    select.replaceChildren(...network.nodes.map((each) => h("option", {}, each.name)));
    const wanted = select.name === "source" ? ["correspondent", "mobile-node"] : ["mobile-node"];
    select.value = network.nodes.filter(({ kind }) => wanted.includes(kind)).at(select.name === "source" ? 0 : -1)?.name ?? network.nodes[0].name;
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
    : [s("rect", { class: "touch", x: x - 40, y: y - 14, width: 80, height: 40 }), line({ x: x - 30, y }, { x: x + 30, y }, "bar"),
      s("text", { class: "label halo", x: x - 10, y: y + 19 }, each.name)];
  return pressable(each.name, `link ${each.name}, ${each.prefix}`, () => openLink(each.name), ...shape,
    s("text", { class: "impaired halo", x: x + (each.ends ? 8 : 10), y: y + (each.ends ? 0 : 19) }));
}
function drawnNode(each) {
  const { x, y } = each.place, half = Math.max(26, 4.3 * each.name.length + 6);
  const square = each.kind === "router" || each.kind === "home-agent";
  return pressable(each.name, `${each.name}, ${KINDS[each.kind]}`, () => openNode(each.name),
    s("rect", { class: "box", x: x - half, y: y - 15, width: 2 * half, height: 30, rx: square ? 3 : 15 }),
    each.kind === "home-agent" ? s("rect", { class: "inner", x: x - half + 3, y: y - 12, width: 2 * half - 6, height: 24, rx: 2 }) : null,
    s("text", { class: "name", x, y: y + 4.5 }, each.name), cross({ x: x + half, y: y - 15 }));
}
const cross = ({ x, y }) => s("path", { class: "fault", d: `M${x - 6} ${y - 6}l12 12m-12 0l12 -12`, visibility: "hidden" });

function drawMobile() {
  if (!seen.now || !seen.network?.drawn) return;
  layers.hung.replaceChildren();
  for (const [name, at] of Object.entries(seen.now.mobile)) {
    layers.hung.append(line(at, link(seen.now.places[name]).place, "hung"));
    const shape = layers.mobile.querySelector(`[data-name="${CSS.escape(name)}"]`) ?? drawnMobile(name);
    shape.setAttribute("aria-label", `${name}, mobile node, on link ${seen.now.places[name]}`);
    if (dragged?.name !== name) shape.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }
  drawHeld();
}
function drawnMobile(name) {
  const shape = pressable(name, name, () => openNode(name),
    s("circle", { class: "box", r: 20 }), s("text", { class: "name", y: 4.5 }, name), cross({ x: 15, y: -15 }));
  shape.classList.add("mobile");
  shape.addEventListener("pointerdown", (event) => pick(event, shape, name));
  layers.mobile.append(shape);
  return shape;
}

// Dragging.
function inDrawing(event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform($("map").getScreenCTM().inverse());
}
function pick(event, shape, name) {
  if (!drives() || event.button !== 0) return;
  dragged = { name, shape, from: inDrawing(event), moved: false, to: null };
  shape.setPointerCapture(event.pointerId);
  shape.onpointermove = (moving) => drag(moving);
  shape.onpointerup = shape.onpointercancel = (ending) => drop(ending.type === "pointerup");
}
function drag(event) {
  const at = inDrawing(event);
  if (Math.hypot(at.x - dragged.from.x, at.y - dragged.from.y) > 5) dragged.moved = true;
  if (!dragged.moved) return;
  dragged.shape.classList.add("dragged");
  dragged.shape.style.transform = `translate(${at.x}px, ${at.y}px)`;
  const far = (each) => Math.min(...[each.room, each.place].map((place) => Math.hypot(place.x - at.x, place.y - at.y)));
  const nearest = rooms().sort((one, other) => far(one) - far(other))[0];
  dragged.to = nearest && far(nearest) < NEAR ? nearest.name : null;
  for (const shape of layers.links.children) shape.classList.toggle("target", shape.dataset.name === dragged.to);
}
function drop(wanted) {
  const { name, shape, moved, to } = dragged;
  dragged = null;
  shape.onpointermove = shape.onpointerup = shape.onpointercancel = null;
  shape.classList.remove("dragged");
  for (const each of layers.links.children) each.classList.remove("target");
  if (!moved) return;  // a click opens what there is to say of it
  addEventListener("click", (event) => event.stopPropagation(), { capture: true, once: true });
  setTimeout(() => drawMobile(), 1500);  // by then it is where it was taken, or goes back
  if (wanted && to !== null && to !== seen.now.places[name]) ask("move", { node: name, to });
  else drawMobile();
}

// What links do to packets.
function impairment({ delay, jitter, loss, rate }) {
  return [delay ? `${+(delay * 1000).toFixed(3)}${jitter ? ` ± ${+(jitter * 1000).toFixed(3)}` : ""} ms` : "",
    loss ? `loses ${+(loss * 100).toFixed(3)} %` : "", rate ? `${+(rate / 1e6).toFixed(3)} Mbit/s` : ""].filter(Boolean).join(", ");
}
function drawImpairments() {
  for (const shape of layers.links?.children ?? []) {
    const impaired = shape.querySelector(".impaired");
    impaired.textContent = impairment(seen.now.impairments[shape.dataset.name] ?? {});
  }
}

// Bindings: in tables, and as curves where packets are sent by them.
function drawBindings(before) {
  const shown = Object.entries(seen.bindings.nodes);
  const fresh = ({ rows }) => JSON.stringify(rows.map(({ cells }) => cells.slice(0, 4)));
  $("caches").replaceChildren(...shown.map(([name, held]) => {
    const was = before.nodes[name];
    const changed = (was ?? null) === null !== (held === null) || (held && was && fresh(held) !== fresh(was));
    return h("div", { class: changed && was !== undefined ? "cache changed" : "cache", "data-node": name },
      h("h3", {}, name, h("small", {}, held === null ? " its daemon does not answer" : held.place ? ` ${held.place}` : held.rows.length ? "" : " no bindings")),
      ...(held?.rows ?? []).map(({ cells }) => h("p", { class: "entry" }, ...cells.filter(Boolean).map((cell, place) => h(place ? "span" : "b", {}, `${cell} `)))),
      held && Object.keys(held.drops).length
        ? h("p", { class: "drops" }, `dropped: ${Object.entries(held.drops).map(([why, count]) => `${count} ${why}`).join(", ")}`) : null);
  }));
  for (const shape of [...(layers.nodes?.children ?? []), ...(layers.mobile?.children ?? [])]) {
    const down = seen.bindings.nodes[shape.dataset.name] === null;
    shape.classList.toggle("down", down);
    shape.querySelector(".fault").setAttribute("visibility", down ? "visible" : "hidden");
  }
  drawHeld();
}
const bent = (from, middle, to) => 0.09 * from + 0.42 * middle + 0.49 * to;  // seven tenths along a curve
function drawHeld() {
  if (!layers.held) return;
  layers.held.replaceChildren();
  for (const [name, held] of Object.entries(seen.bindings.nodes)) {
    for (const { path } of held?.rows ?? []) {
      const from = path && placeOf(name), to = path && placeOf(path.to);
      if (!from || !to || from === to) continue;
      const beside = (side) => ({ x: (from.x + to.x) / 2 + side * (to.y - from.y) * 0.22, y: (from.y + to.y) / 2 - side * (to.x - from.x) * 0.22 });
      const side = path.way === "tunnel" ? -1 : 1;
      const middle = beside(beside(side).y < seen.network.height ? side : -side);
      layers.held.append(s("path", { class: `held ${path.way}`, d: `M${from.x} ${from.y}Q${middle.x} ${middle.y} ${to.x} ${to.y}` }),
        s("text", { class: "holds", x: bent(from.x, middle.x, to.x), y: bent(from.y, middle.y, to.y) }, path.way));
    }
  }
}

// Packets of streams: where they run.
function drawStrokes() {
  if (!layers.strokes) return;
  const strokes = seen.flows.strokes, same = JSON.stringify([strokes, seen.flows.losses]);
  if (layers.strokes.dataset.same === same) return;  // so that dots run on
  layers.strokes.dataset.same = same;
  layers.tubes.replaceChildren(...strokes.filter(({ way }) => way === "tunnel").map(({ stream, from, to }) => line(from, to, `tube s${stream % 6}`)));
  layers.strokes.replaceChildren(
    ...strokes.flatMap(({ stream, from, to }) => [line(from, to, `stroke s${stream % 6}`), line(from, to, `s${stream % 6} run`), tip(stream, from, to)]),
    ...seen.flows.losses.map(({ stream, at }) => s("path", { class: `cross s${stream % 6}`, d: `M${at.x + 28} ${at.y - 8}l16 16m-16 0l16 -16` })));
}
function tip(stream, from, to) {
  const turn = Math.atan2(to.y - from.y, to.x - from.x) * 180 / Math.PI;
  return s("path", { class: `tip s${stream % 6}`, d: "M6 0L-5 -5V5Z", transform: `translate(${(from.x + to.x) / 2} ${(from.y + to.y) / 2}) rotate(${turn})` });
}

// Streams over time: delay as a curve, losses as bars.
const HIGH = 130, LEFT = 44, TOP = 14, FLOOR = 92;
function drawFlows() {
  $("flows").replaceChildren(...seen.flows.flows.map(drawnFlow));
  if (!seen.flows.flows.length) $("flows").append(h("p", { class: "soft" }, "no stream runs"));
}
function drawnFlow(flow, number) {
  const WIDE = Math.max($("flows").clientWidth, 200), { span, moves } = seen.flows, x = (at) => LEFT + (WIDE - LEFT - 6) * (1 + at / span);
  const most = Math.max(0.001, ...flow.bins.map(([, , , delay]) => delay ?? 0)), most_lost = Math.max(4, ...flow.bins.map(([, , lost]) => lost));
  const y = (delay) => FLOOR - (FLOOR - TOP) * delay / most;
  let path = "", pen = "M";
  for (const [at, , , delay] of flow.bins) {
    if (delay === null) pen = "M";
    else { path += `${pen}${x(at).toFixed(1)} ${y(delay).toFixed(1)}`; pen = "L"; }
  }
  const lost = flow.lost ? `${flow.lost} lost` : "none lost";
  const stop = seen.now?.streams.find((name) => name === `${flow.source}-${flow.destination}`);
  return h("div", { class: "flow" },
    h("h3", {}, s("svg", { class: "key", viewBox: "0 0 40 12", "aria-hidden": "true" }, line({ x: 0, y: 6 }, { x: 40, y: 6 }, `stroke s${number % 6}`)),
      flow.name, h("small", {}, `${flow.rate.toFixed(0)} packets/s · in ${span} s ${flow.sent} sent, ${lost}`),
      drives() && stop ? h("button", { onclick: () => ask("endstream", { name: stop }) }, "End") : null),
    h("p", {}, flow.way, flow.way && !flow.arrives ? h("b", { class: "lost" }, " does not arrive") : null),
    s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${flow.name}: delay and losses of the last ${span} seconds, ${lost}` },
      line({ x: LEFT, y: FLOOR }, { x: WIDE, y: FLOOR }, "axis"), line({ x: LEFT, y: TOP }, { x: WIDE, y: TOP }, "axis"),
      s("text", { class: "tick end", x: LEFT - 4, y: TOP + 4 }, `${(most * 1000).toPrecision(2)} ms`), s("text", { class: "tick end", x: LEFT - 4, y: FLOOR }, "delay"),
      s("text", { class: "tick end", x: LEFT - 4, y: HIGH - 12 }, "lost"), s("text", { class: "tick", x: LEFT, y: HIGH - 1 }, `${span} s ago`),
      s("text", { class: "tick end", x: WIDE - 6, y: HIGH - 1 }, "now"),
      ...moves.map((at) => line({ x: x(at), y: 2 }, { x: x(at), y: HIGH - 12 }, "moved")),
      ...flow.bins.filter(([, , gone]) => gone).map(([at, , gone]) => s("rect", { class: "loss", x: x(at) - 1, y: HIGH - 12 - 24 * gone / most_lost, width: 4, height: 24 * gone / most_lost })),
      s("path", { class: `delay s${number % 6}`, d: path })));
}
$("new-stream").addEventListener("submit", (event) => {
  event.preventDefault();
  const { source, destination, every } = event.target.elements;
  ask("stream", { source: source.value, destination: destination.value, every: every.valueAsNumber / 1000 });
});

// Logs, the latest on top.
function keep(log, entry) {
  log.prepend(entry);
  while (log.children.length > SHOWN) log.lastChild.remove();
}
function addEvent({ time, node: who, text, section }) {
  if (who === "lab") $("told").textContent = text;
  keep($("events"), h("li", {}, h("span", { class: "time" }, clock(time)), " ", h("b", {}, who), ` ${text} `, h("small", {}, section)));
}
function addMessage(message, old) {
  const before = messages.get(message.id);
  messages.set(message.id, message);
  const entry = drawnMessage(message, before);
  if (before) document.getElementById(`m-${message.id}`)?.replaceWith(entry);
  else keep($("messages"), entry);
  if (!before && !old && !still.matches) fly(message);
}
function drawnMessage(message, before) {
  const open = before && document.querySelector(`#m-${CSS.escape(message.id)} details`)?.open;
  const ways = message.legs.map(({ source, destination, way, sealed }) => `${source} ${WAYS[way]} ${destination}${sealed ? " (ESP)" : ""}`).join(", ");
  return h("li", { id: `m-${message.id}` }, h("details", { open },
    h("summary", {}, h("span", { class: "time" }, clock(message.time)), " ", h("b", {}, message.name), ` ${message.remark} `, h("small", {}, ways),
      message.arrived ? null : h("span", { class: "lost" }, " not seen to arrive")),
    h("div", { class: "opened" }, h("div", {}, ...message.layers.flatMap(({ title, fields }) => [h("h4", {}, title),
      h("table", {}, ...fields.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))))])),
    h("div", {}, h("h4", {}, "Frames"), h("p", {}, message.legs.flatMap(({ frames }) => frames).join(", "))))));
}

// A message as an envelope on its way from link to link.
function corners({ legs }) {
  const ends = (name) => link(name).ends ?? seen.network.hangers.filter(([, bar]) => bar === name).map(([end]) => end);
  const way = [placeOf(legs[0].source)];
  let last = null;
  for (const frame of legs.flatMap(({ frames }) => frames)) {
    const name = frame.slice(0, frame.lastIndexOf(":"));
    if (last !== null) way.push(placeOf(ends(last).find((end) => ends(name).includes(end))));
    way.push(link(name)?.place ?? null);
    last = name;
  }
  return [...way, placeOf(legs.at(-1).destination)].filter((place) => place);
}
let nextFlight = 0;
function fly(message) {
  if (!seen.network?.drawn) return;
  const way = corners(message), text = SHORT[message.name] ?? "MH", half = 6 + 3.4 * text.length;
  if (way.length < 2 || nextFlight > performance.now() + BACKLOG) return;
  const letter = s("g", { class: "letter", transform: "translate(-99 -99)" }, s("rect", { x: -half, y: -9, width: 2 * half, height: 18, rx: 2 }),
    s("path", { class: "inner", d: `M${-half} -9L0 -2L${half} -9` }), s("text", { y: 6 }, text));
  layers.letters.append(letter);
  const frames = way.map(({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` }));
  nextFlight = Math.max(nextFlight + APART, performance.now());
  const delay = nextFlight - performance.now();
  letter.animate(frames, { delay, duration: FLIGHT * (way.length - 1), fill: "forwards" }).finished.finally(() => letter.remove());
}

// What can be said of a node or a link, and done to it.
function open(title, ...children) {
  $("about").replaceChildren(h("button", { class: "close", onclick: () => $("about").close() }, "Close"), h("h2", { id: "about-title" }, title),
    ...children.filter((child) => child !== null));
  $("about").showModal();
}
const act = (text, command, args, off = false) => h("button", { disabled: off, onclick: () => { ask(command, args); $("about").close(); } }, text);
const row = (...children) => h("div", { class: "row" }, ...children);
function openNode(name) {
  const each = node(name), held = seen.bindings.nodes[name], place = seen.now.places[name];
  const actions = [];
  if (drives()) {
    if (place !== undefined) {
      const silent = h("input", { type: "checkbox" });
      const go = (to) => h("button", { disabled: to === place, onclick: () => { ask("move", { node: name, to, hint: silent.checked }); $("about").close(); } }, to);
      actions.push(row("Move to ", ...rooms().map((to) => go(to.name))), row(h("label", {}, silent, "without loss of carrier: its link layer hints at the new link")),
        row(act("Cut off", "cutoff", { node: name }), act("Readmit", "readmit", { node: name })));
    }
    if (held !== undefined) actions.push(row(act("Kill its daemon", "kill", { node: name }, held === null), act("Restart its daemon", "restart", { node: name })));
  }
  open(`${name}, ${KINDS[each.kind]}`, h("p", {}, each.addresses.join(", ")), place === undefined ? null : h("p", {}, `on link ${place}`),
    held === null ? h("p", { class: "lost" }, "its daemon does not answer") : null, ...actions);
}
function openLink(name) {
  const now = seen.now.impairments[name] ?? {};
  const number = (label, field, scale, most, unit) => h("label", {}, label, h("input", { type: "number", name: field, "data-scale": scale, min: 0, max: most, step: "any",
    value: +((now[field] ?? 0) / scale).toFixed(6) }), unit);
  const form = h("form", { onsubmit: (event) => {
    event.preventDefault();
    const fields = [...form.querySelectorAll("input")].map((input) => [input.name, (input.valueAsNumber || 0) * input.dataset.scale]);
    ask("impair", { link: name, ...Object.fromEntries(fields) });
    $("about").close();
  } }, number("delay", "delay", 0.001, 10000, "ms"), number("±", "jitter", 0.001, 10000, "ms"), number("loses", "loss", 0.01, 100, "%"),
  number("carries", "rate", 1e6, 30000, "Mbit/s (0: all)"), h("button", {}, "Apply"), act("Mend", "impair", { link: name }));
  open(`Link ${name}`, h("p", {}, `${link(name).prefix}${impairment(now) ? `; ${impairment(now)}` : ""}`),
    seen.network.captures.includes(name) ? h("p", {}, h("a", { href: `captures/${encodeURIComponent(name)}.pcapng`, download: true }, "Capture so far")) : null,
    drives() ? form : null);
}

connect();
