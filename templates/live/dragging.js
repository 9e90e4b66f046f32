// Mobile nodes are dragged from link to link, by mouse, pen or finger.

import { ask, drives, seen } from "./conversation.js";
import { $ } from "./elements.js";
import { drawMobile, layers, rooms } from "./map.js";

const NEAR = 60; // units of the drawing within which a link catches a node that is dropped
let dragged = null;

export const isDragged = (name) => dragged?.name === name;

function inDrawing(event) {
  return new DOMPoint(event.clientX, event.clientY).matrixTransform($("map").getScreenCTM().inverse());
}
export function pick(event, shape, name) {
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
  if (!moved) return; // a click opens what there is to say of it
  swallowClick();
  if (wanted && to !== null && to !== seen.now.places[name]) ask("move", { node: name, to }).finally(drawMobile);
  else drawMobile();
}

// The click that may follow a drag is not meant.
function swallowClick() {
  const swallow = (event) => event.stopPropagation();
  addEventListener("click", swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", swallow, { capture: true }));
}
