// Names and numbers as a reader knows them.

export const KINDS = {
  router: "router",
  "home-agent": "home agent",
  correspondent: "correspondent",
  "mobile-node": "mobile node",
  host: "host",
};
export const SHORT = {
  "Binding Update": "BU",
  "Binding Acknowledgement": "BA",
  "Binding Refresh Request": "BRR",
  "Binding Error": "BE",
  "Home Test Init": "HoTI",
  "Care-of Test Init": "CoTI",
  "Home Test": "HoT",
  "Care-of Test": "CoT",
  "Home Agent Address Discovery Request": "DHAAD?",
  "Home Agent Address Discovery Reply": "DHAAD",
  "Mobile Prefix Solicitation": "MPS",
  "Mobile Prefix Advertisement": "MPA",
  "Parameter Problem": "ICMP",
};
export const WAYS = { plain: "→", tunnel: "⇒", direct: "⇢" };

// What a link does to packets.
export function impairment({ delay, jitter, loss, rate }) {
  return [
    delay ? `${+(delay * 1000).toFixed(3)}${jitter ? ` ± ${+(jitter * 1000).toFixed(3)}` : ""} ms` : "",
    loss ? `loses ${+(loss * 100).toFixed(3)} %` : "",
    rate ? `${+(rate / 1e6).toFixed(3)} Mbit/s` : "",
  ]
    .filter(Boolean)
    .join(", ");
}
