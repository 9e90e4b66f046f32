// A message as an envelope on its way from link to link.

import { seen } from "./conversation.js";
import { s } from "./elements.js";
import { layers, link, placeOf } from "./map.js";
import { SHORT } from "./words.js";

// Milliseconds: from link to link, between two that left together, and of those that wait.
const FLIGHT = 450;
const APART = 250;
const BACKLOG = 4000;

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
export function fly(message) {
  if (!seen.network?.drawn) return;
  const way = corners(message),
    text = SHORT[message.name] ?? "MH",
    half = 6 + 3.4 * text.length;
  if (way.length < 2 || nextFlight > performance.now() + BACKLOG) return;
  const letter = s(
    "g",
    { class: "letter", transform: "translate(-99 -99)" },
    s("rect", { x: -half, y: -9, width: 2 * half, height: 18, rx: 2 }),
    s("path", { class: "inner", d: `M${-half} -9L0 -2L${half} -9` }),
    s("text", { y: 6 }, text),
  );
  layers.letters.append(letter);
  const frames = way.map(({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` }));
  nextFlight = Math.max(nextFlight + APART, performance.now());
  const delay = nextFlight - performance.now();
  letter
    .animate(frames, { delay, duration: FLIGHT * (way.length - 1), fill: "forwards" })
    .finished.finally(() => letter.remove());
}
