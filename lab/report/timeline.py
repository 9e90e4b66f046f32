"""Records as sentences that a student can read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab import events
from lab.events import Event, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a timeline; `time` in seconds since its first."""

    time: float
    node: str
    text: str
    section: str


def timeline(records: Sequence[Record], start: float | None = None) -> Iterator[Line]:
    """Turn records into lines; what is of no interest to a reader is left out."""
    first = start if start is not None else (records[0].time if records else 0.0)
    for record in records:
        text = sentence(record.event)
        if text:
            section = f"§{record.event.SECTION}" if record.event.SECTION else ""
            yield Line(time=record.time - first, node=record.node, text=text, section=section)


def sentence(event: Event) -> str:
    """Say what happened; empty if that is told by another event."""
    match event:
        case events.ScenarioStep(text=text):
            return f"── {text}"
        case events.NodeStarted(role=role, plane=plane):
            return f"{role} serves (plane {plane})"
        case events.LinkWentUp():
            return "link up"
        case events.LinkWentDown():
            return "link down"
        case events.LinkHinted():
            return "the link layer hints at a new link"
        case events.MovementDetected(to_prefix=prefix, at_home=True):
            return f"at home: the router advertises the home prefix {prefix}"
        case events.MovementDetected(to_prefix=prefix):
            return f"on a foreign link: new router, prefix {prefix}"
        case events.RouterLost(router=router, reason=reason):
            return f"router {router} lost: {reason}"
        case events.CareOfAddressFormed(address=address, optimistic=optimistic):
            return f"care-of address {address}" + (" (used while it is tested)" if optimistic else "")
        case events.CareOfAddressLost(address=address, reason=reason):
            return f"address {address} lost: {reason}"
        case events.MessageSent(summary=summary, destination=destination):
            return f"→ {summary}  to {destination}"
        case events.DadStarted(address=address):
            return f"tests whether {address} is unique"
        case events.DadFinished(address=address, unique=unique):
            return f"{address} is {'unique' if unique else 'used by somebody else'}"
        case events.ProxyStarted(address=address):
            return f"answers for {address} on the home link"
        case events.ProxyStopped(address=address):
            return f"no longer answers for {address}"
        case events.BindingRegistered(home_address=home, care_of_address=care_of, lifetime=lifetime, kind=kind):
            return f"binding {kind}: {home} is at {care_of} for {lifetime} s"
        case events.BindingRejected(status=status, home_address=home):
            return f"refuses the binding of {home}: status {status}"
        case events.BindingDeregistered(home_address=home):
            return f"binding of {home} ended by its mobile node"
        case events.BindingRecalled(home_address=home, care_of_address=None, sequence=sequence):
            return f"recalls the sequence number of {home}: #{sequence}"
        case events.BindingRecalled(home_address=home, care_of_address=care_of, remaining=remaining):
            return f"recalls a binding: {home} is at {care_of} for {remaining:g} s"
        case events.BindingRemoved(home_address=home, reason=reason):
            return f"binding of {home} removed: {reason}"
        case events.HomeAgentListed(router=router, addresses=addresses, preference=preference):
            return f"home agent {addresses or router} on the home link, preference {preference}"
        case events.HomeAgentUnlisted(router=router, reason=reason):
            return f"home agent {router} no longer on the home link: {reason}"
        case events.HomeAgentsRequested(attempt=attempt):
            return f"asks the home link for its home agents (request {attempt})"
        case events.DiscoveryAnswered(home_agents=agents, to=to):
            return f"tells {to} the home agents of the home link: {agents}"
        case events.HomeAgentsDiscovered(home_agents=agents):
            return f"home agents to register with: {agents}"
        case events.HomeAgentAbandoned(home_agent=agent, reason=reason, successor=successor):
            return f"gives home agent {agent} up: {reason}; tries {successor}"
        case events.HomePrefixesChanged(prefixes=prefixes):
            return f"prefixes of the home link: {prefixes}"
        case events.PrefixesAdvertised(home_address=home, solicited=solicited, attempt=attempt):
            return f"tells {home} the prefixes of home" + ("" if solicited else f" unasked ({attempt})")
        case events.PrefixesSolicited(attempt=attempt):
            return f"asks for the prefixes of home (solicitation {attempt})"
        case events.PrefixesLearned(prefixes=prefixes):
            return f"knows the prefixes of home: {prefixes}"
        case events.BindingAcknowledged(status=status, lifetime=lifetime):
            return f"registration accepted (status {status}, {lifetime} s left)"
        case events.BindingRefused(status=status):
            return f"registration refused: status {status}"
        case events.BindingRefreshRequested(home_address=home, attempt=attempt):
            return f"asks {home} to refresh its binding (request {attempt})"
        case events.KeygenTokenReceived(peer=peer, kind=kind, nonce_index=index):
            return f"{kind} keygen token of {peer}, nonce index {index}"
        case events.RouteOptimisationStarted(peer=peer):
            return f"direct path to {peer}"
        case events.RouteOptimisationEnded(peer=peer, reason=reason):
            return f"direct path to {peer} ends: {reason}"
        case events.ReturnedHome(home_address=home):
            return f"home again: {home} is used on the home link and announced"
        case events.PacketDropped(reason=reason, detail=detail):
            return f"drops a packet: {reason} {detail}".rstrip()
        case events.EffectRefused(effect=effect, reason=reason):
            return f"could not {effect}: {reason}"
        case events.MoveBegan(mobile_node=node, from_link=before, to_link=after, outage=outage):
            how = "without loss of carrier" if outage is None else f"{outage * 1000:.0f} ms without carrier"
            return f"{node} moves from {before} to {after}, {how}"
        case events.NodeKilled(name=name):
            return f"the daemon of {name} is killed"
        case events.StreamStarted(source=source, destination=destination, every=every):
            return f"stream {source} → {destination}, a packet every {every * 1000:g} ms"
        case events.StreamEnded(sent=sent, received=received):
            return f"stream ends: {sent} sent, {received} received"
        case _:
            return ""
