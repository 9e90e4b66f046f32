// The conversation with the server (docs/live.md), and who drives.

import { $ } from "./elements.js";

export const seen = {
  network: null,
  now: null,
  bindings: { nodes: {} },
  flows: { flows: [], strokes: [], losses: [] },
}; // the latest of each kind

const AGAIN_AFTER = 2000; // milliseconds

// The token comes in the fragment, which no server sees, and leaves the address before somebody reads it there.
const told = new URLSearchParams(location.hash.slice(1)).get("token");
if (told !== null) {
  sessionStorage.setItem("token", told);
  history.replaceState(null, "", location.pathname);
}
const token = sessionStorage.getItem("token");

export const drives = () => document.body.classList.contains("drives");

let socket = null;
let asked = 0;
const waiting = new Map(); // what is to be done with answers, by number

// Ask for something to be done; the promise tells whether it was.
export function ask(command, args = {}) {
  const id = ++asked;
  return new Promise((resolve) => {
    waiting.set(id, ({ ok, error }) => {
      if (command !== "hello") $("said").textContent = ok ? "" : `${command}: ${error}`;
      resolve(ok);
    });
    socket.send(JSON.stringify({ id, token, command, arguments: args }));
  });
}

export function answered(answer) {
  waiting.get(answer.id)?.(answer);
  waiting.delete(answer.id);
}

// Find out whether the token opens this lab, which may be another than the last.
export async function settleWhoDrives() {
  const playing = seen.network?.playing;
  const may = token !== null && !playing && (await ask("hello"));
  document.body.classList.toggle("drives", may);
  $("role").textContent = playing ? `the scenario ${playing} is played` : may ? "you drive" : "you watch";
}

export function showStatus(on, text) {
  $("status").className = on ? "on" : "off";
  $("status").textContent = text;
}

// Take what the server tells, again and again as labs come and go.
export function connect(take) {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/watch`);
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onopen = () => showStatus(true, "live");
  socket.onclose = () => {
    waiting.clear();
    document.body.classList.remove("drives");
    showStatus(false, "the lab has ended, or cannot be reached; waiting for one");
    setTimeout(() => connect(take), AGAIN_AFTER);
  };
}
