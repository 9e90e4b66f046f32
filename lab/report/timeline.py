"""Records as sentences that a student can read."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab import events
from lab.events import Event, Record

STEP = "── "
"""How the lines begin that say what the scenario does."""
MESSAGES_SHOWN = 20
"""So many messages of a kind are shown of a node in a second; `events.jsonl` has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline; `time` in seconds since its first."""

    time: float
    node: str
    text: str
    section: str


class Choice:
    """Chooses what a reader is shown: messages that a node sends amid a flood all say the same."""

    def __init__(self) -> None:
        self._sent: dict[tuple[str, str], tuple[float, int]] = {}
        """By node and kind of message: since when they are counted, and how many there were."""

    def takes(self, record: Record) -> bool:
        """Tell whether a record is to be shown; they come in the order of their times."""
        if not isinstance(record.event, events.MessageSent):
            return True
        key = record.node, record.event.message
        since, shown = self._sent.get(key, (record.time, 0))
        if record.time - since >= 1.0:
            since, shown = record.time, 0
        self._sent[key] = since, shown + 1
        return shown < MESSAGES_SHOWN


def timeline(records: Sequence[Record], start: float | None = None) -> Iterator[Line]:
    """Turn records into lines; what is of no interest to a reader is left out."""
    first = start if start is not None else (records[0].time if records else 0.0)
    for record in records:
        text = sentence(record.event)
        if text:
            section = f"§{record.event.SECTION}" if record.event.SECTION else ""
            yield Line(time=record.time - first, node=record.node, text=text, section=section)


def chapters(records: Sequence[Record], start: float) -> list[tuple[str, list[Line]]]:
    """Part a timeline at the steps of the scenario, which are the titles; what precedes them has an empty one."""
    parts: list[tuple[str, list[Line]]] = [("", [])]
    for line in timeline(records, start):
        if line.text.startswith(STEP):
            parts.append((line.text.removeprefix(STEP), []))
        else:
            parts[-1][1].append(line)
    return [(title, lines) for title, lines in parts if title or lines]


def sentence(event: Event) -> str:
    """Say what happened; empty if that is told by another event."""
    said = _SENTENCES.get(type(event))
    if said is not None:
        return said.format_map({field.name: getattr(event, field.name) for field in dataclasses.fields(event)})
    match event:
        case events.MovementDetected(to_prefix=prefix, at_home=True):
            return f"at home: the router advertises the home prefix {prefix}"
        case events.MovementDetected(to_prefix=prefix):
            return f"on a foreign link: new router, prefix {prefix}"
        case events.CareOfAddressFormed(address=address, optimistic=optimistic):
            return f"care-of address {address}" + (" (used while it is tested)" if optimistic else "")
        case events.DadFinished(address=address, unique=unique):
            return f"{address} is {'unique' if unique else 'used by somebody else'}"
        case events.BindingRecalled(home_address=home, care_of_address=None, sequence=sequence):
            return f"recalls the sequence number of {home}: #{sequence}"
        case events.BindingRecalled(home_address=home, care_of_address=care_of, remaining=remaining):
            return f"recalls a binding: {home} is at {care_of} for {remaining:g} s"
        case events.HomeAgentListed(router=router, addresses=addresses, preference=preference):
            return f"home agent {addresses or router} on the home link, preference {preference}"
        case events.PrefixesAdvertised(home_address=home, solicited=solicited, attempt=attempt):
            return f"tells {home} the prefixes of home" + ("" if solicited else f" unasked ({attempt})")
        case events.PacketDropped(reason=reason, detail=detail):
            return f"drops a packet: {reason} {detail}".rstrip()
        case events.MoveBegan(mobile_node=node, from_link=before, to_link=after, outage=outage):
            how = "without loss of carrier" if outage is None else f"{outage * 1000:.0f} ms without carrier"
            return f"{node} moves from {before} to {after}, {how}"
        case events.LinkImpaired(link=link, delay=delay, jitter=jitter, loss=loss, rate=rate):
            delays = (
                f"delays packets by {delay * 1000:g}{f' ± {jitter * 1000:g}' if jitter else ''} ms" if delay else ""
            )
            what = (
                delays,
                f"loses {loss * 100:g} % of them" if loss else "",
                f"carries {rate / 1e6:g} Mbit/s" if rate else "",
            )
            return f"link {link} {', '.join(filter(None, what)) or 'carries all packets, at once'}"
        case events.StreamStarted(source=source, destination=destination, every=every):
            return f"stream {source} → {destination}, a packet every {every * 1000:g} ms"
        case _:
            return ""


_SENTENCES: dict[type[Event], str] = {
    events.ScenarioStep: f"{STEP}{{text}}",
    events.NodeStarted: "{role} serves (plane {plane})",
    events.SafeguardSwitchedOff: "WITHOUT PROTECTION: {safeguard} is switched off",
    events.LinkWentUp: "link up",
    events.LinkWentDown: "link down",
    events.LinkHinted: "the link layer hints at a new link",
    events.RouterLost: "router {router} lost: {reason}",
    events.CareOfAddressLost: "address {address} lost: {reason}",
    events.MessageSent: "→ {summary}  to {destination}",
    events.DadStarted: "tests whether {address} is unique",
    events.ProxyStarted: "answers for {address} on the home link",
    events.ProxyStopped: "no longer answers for {address}",
    events.BindingRegistered: "binding {kind}: {home_address} is at {care_of_address} for {lifetime} s",
    events.BindingRejected: "refuses the binding of {home_address}: status {status}",
    events.BindingDeregistered: "binding of {home_address} ended by its mobile node",
    events.HomeAddressCutOff: "cuts {home_address} off: serves it no more",
    events.HomeAddressReadmitted: "lets {home_address} register again",
    events.BindingRemoved: "binding of {home_address} removed: {reason}",
    events.GroupJoined: "{home_address} listens to {group}, which is tunnelled to it",
    events.GroupLeft: "{group} is tunnelled to {home_address} no longer: {reason}",
    events.Dhcpv6Forwarded: "relays DHCPv6 of {home_address} to the servers: {message}",
    events.Dhcpv6Answered: "relays DHCPv6 of {server} to {home_address}, into its tunnel: {message}",
    events.HomeAgentUnlisted: "home agent {router} no longer on the home link: {reason}",
    events.HomeAgentsRequested: "asks the home link for its home agents (request {attempt})",
    events.DiscoveryAnswered: "tells {to} the home agents of the home link: {home_agents}",
    events.HomeAgentsDiscovered: "home agents to register with: {home_agents}",
    events.HomeAgentAbandoned: "gives home agent {home_agent} up: {reason}; tries {successor}",
    events.HomePrefixesChanged: "prefixes of the home link: {prefixes}",
    events.PrefixesSolicited: "asks for the prefixes of home (solicitation {attempt})",
    events.PrefixesLearned: "knows the prefixes of home: {prefixes}",
    events.HomeAgentUnable: "home agent {home_agent} does not know Binding Updates",
    events.BindingAcknowledged: "registration accepted (status {status}, {lifetime} s left)",
    events.BindingRefused: "registration refused: status {status}",
    events.BindingRefreshRequested: "asks {home_address} to refresh its binding (request {attempt})",
    events.KeygenTokenReceived: "{kind} keygen token of {peer}, nonce index {nonce_index}",
    events.RouteOptimisationStarted: "direct path to {peer}",
    events.RouteOptimisationEnded: "direct path to {peer} ends: {reason}",
    events.HomeAddressAdded: "has another home address, {home_address}",
    events.HomeAddressEnded: "gives home address {home_address} up",
    events.ReturnedHome: "home again: {home_address} is used on the home link and announced",
    events.EffectRefused: "could not {effect}: {reason}",
    events.NodeFailed: "{name} dies at once, and its links with it",
    events.NodeKilled: "the daemon of {name} is killed",
    events.StreamEnded: "stream ends: {sent} sent, {received} received",
}
"""Of events that are said in one way, with the names of their fields."""
