// The live page: shows what the server tells (docs/live.md).

import { answered, connect, seen, settleWhoDrives, showStatus } from "./conversation.js";
import { addEvent, addMessage, clearLogs } from "./logs.js";
import { drawHeld, drawImpairments, drawMobile, drawNetwork, drawStrokes, markDaemons } from "./map.js";
import { drawCaches, drawFlows, offerEnds, offerStreams } from "./panels.js";

const TAKES = {
  snapshot: ({ parts }) => {
    clearLogs();
    for (const part of parts) take(part, true);
    settleWhoDrives();
  },
  network: (part) => {
    seen.network = part;
    drawNetwork();
    offerStreams();
    markDaemons();
    drawStrokes();
  },
  now: (part) => {
    const streams = `${seen.now?.streams}`;
    seen.now = part;
    if (`${part.streams}` !== streams) offerEnds();
    drawMobile();
    drawImpairments();
    markDaemons();
  },
  bindings: (part) => {
    const before = seen.bindings;
    seen.bindings = part;
    drawCaches(before);
    markDaemons();
    drawHeld();
  },
  events: (part) => part.events.forEach(addEvent),
  messages: (part, old) => part.messages.forEach((message) => addMessage(message, old)),
  flows: (part) => {
    seen.flows = part;
    drawStrokes();
    drawFlows();
  },
  ended: () => showStatus(false, "the lab has ended"),
  answer: answered,
};

// `old`: it was seen by others before, and moves nothing any more.
function take(part, old = false) {
  TAKES[part.kind]?.(part, old);
}

connect(take);
