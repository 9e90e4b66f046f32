"""Exercises: the attacks that RFC 6275 §15 explains, played as scenarios are and judged by what links carried.

An exercise says in what section its attack is and which protection withstands it, if any does. The attack fails while
that is in force, and succeeds without it; anything else is a fault of ours.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any, TypeAlias

from scapy.layers.inet6 import IPv6

from lab.auth.esp import Association
from lab.auth.ipsec_policy import Protects
from lab.emulation.attacker import Attacker, Flood, octets_of
from lab.emulation.network import Network
from lab.emulation.playback import frames_so_far
from lab.emulation.scenario import Scenario, Stage, declare
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.errors import ScenarioError
from lab.events import (
    BindingDeregistered,
    BindingRegistered,
    BindingRejected,
    BindingRemoved,
    Event,
    PacketDropped,
    Record,
    RouteOptimisationEnded,
)
from lab.report.model import Attack
from lab.report.timeline import sentence
from lab.safeguards import Safeguard, Without
from lab.verify.check import Check, Verdict
from lab.verify.frame import Frame

PREFIX = "exercise/"
INTERFACE_PREFIX = 64
SHOWN = 4
"""So many frames, and events, of a kind are evidence."""
HOP_LIMIT_AT = 7
"""In the header of IPv6: it alone changes on the way."""
CLOCK_SLACK = 0.05
"""Seconds by which a capture may be before the clock of this program."""
TELLING: tuple[type[Event], ...] = (
    BindingRegistered,
    BindingRejected,
    BindingDeregistered,
    BindingRemoved,
    PacketDropped,
    RouteOptimisationEnded,
)
"""Events by which nodes say what they made of an attack."""

Matches: TypeAlias = Callable[[Frame], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise(Scenario):
    """An attack, and what withstands it."""

    section: str
    """Of RFC 6275, that explains it."""
    withstood_by: Safeguard | None
    """None where section 15 says that nothing does."""

    def succeeds(self, without: Without) -> bool:
        """Tell whether the attack ought to succeed, by the protections that are in force."""
        return self.withstood_by is None or self.withstood_by in without

    def stage(self, network: Network) -> "AttackStage":
        """Give what it acts on."""
        return AttackStage(network, self)


Body: TypeAlias = Callable[["AttackStage"], None]


def exercise(
    topology: type[Topology], section: str, withstood_by: Safeguard | None, **settings: Any
) -> Callable[[Body], Body]:
    """Declare a function to be an exercise: `exercise/` and its name, with hyphens, is the exercise's.

    The first line of its docstring says what the attacker does; `settings` are as those of `scenario`.
    """

    def declare_exercise(body: Body) -> Body:
        name = PREFIX + body.__name__.replace("_", "-")
        declare(
            Exercise(
                name=name,
                topology=topology,
                body=body,
                settings=Settings(**settings),
                section=section,
                withstood_by=withstood_by,
            )
        )
        return body

    return declare_exercise


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """What a link must carry: once the attack has begun, for it to have succeeded; or for it to have begun at all."""

    link: str
    matches: Matches
    note: str
    at_least: int
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """What an attacker sent, and from when on it can be on his link."""

    link: str
    octets: bytes
    since: float
    note: str


@dataclass(frozen=True, slots=True)
class _Measured:
    """Something that no packet shows."""

    told: str
    succeeded: bool


class AttackStage(Stage):
    """What an exercise acts on: a stage with attackers."""

    def __init__(self, network: Network, played: Exercise) -> None:
        super().__init__(network)
        self._exercise = played
        self._attackers: list[Attacker] = []
        self._sent: list[_Sent] = []
        self._made: list[_Condition] = []
        self._flooded: Matches = lambda _: False
        self._conditions: list[_Condition] = []
        self._measured: list[_Measured] = []

    def attacker(self, name: str) -> Attacker:
        """Give a host to whoever means no good."""
        self._attackers.append(Attacker(self.network.node(name), self.network.captures))
        return self._attackers[-1]

    def own_association(self, attacker: Attacker) -> Association:
        """Give what the attacker seals registrations of its own home address with, as a mobile node may."""
        spec = self.network.node(attacker.name).spec
        for pair in self.network.topology.protections:
            if pair.home_address == spec.home_address and pair.protects is Protects.REGISTRATION:
                return pair.to_home_agent
        raise ScenarioError(f"{attacker.name} has no security association with a home agent: set ipsec=on")

    def off(self, safeguard: Safeguard) -> bool:
        """Tell whether a protection that the network itself has is switched off."""
        return safeguard in self.network.context.without

    def attack(self, attacker: Attacker, *packets: Any, note: str = "sent by the attacker") -> None:
        """Send packets of Scapy's, or octets as they were heard; it is an attack if the attacker's link carries all."""
        self._since = self._settled = time.time()
        for packet in packets:
            self._sent.append(_Sent(attacker.link, octets_of(packet), time.time() - CLOCK_SLACK, note))
            attacker.send(packet)

    def flood(self, attacker: Attacker, packet: Any, *, count: int, rate: float, note: str) -> Flood:
        """Begin to send a packet from ever new addresses, see `Attacker.flood`; it is an attack if all are seen."""
        sources = IPv6Network((packet[IPv6].src, INTERFACE_PREFIX), strict=False)
        self._flooded = lambda frame: frame.source in sources
        self.attempted_if(attacker.link, self._flooded, note, at_least=count)
        return attacker.flood(packet, count=count, rate=rate, seed=self.network.context.seed)

    def attempted_if(self, link: str, matches: Matches, note: str, *, at_least: int = 1) -> None:
        """Name what a link must carry from now on for the attack to have been made; to listen is one as well."""
        self._since = self._settled = time.time()
        since = time.time() - CLOCK_SLACK
        self._made.append(_Condition(link=link, matches=matches, note=note, at_least=at_least, since=since))

    def succeeds_by(self, told: str, succeeded: bool) -> None:
        """Tell what was measured, and whether that is what the attack is for; see `succeeds_if`."""
        self.say(told)
        self._measured.append(_Measured(told, succeeded))

    def succeeds_if(self, link: str, matches: Matches, note: str, *, at_least: int = 1) -> None:
        """Name what a link must carry after the attack began; with several, all count.

        What is in ESP is opened for this judgement, in case there is something.
        """
        if link not in self.network.captures:
            raise ScenarioError(f"no link {link}; links: {', '.join(self.network.captures)}")
        self._conditions.append(_Condition(link=link, matches=matches, note=note, at_least=at_least))

    def judge(self, captures: Sequence[Path], checks: Sequence[Check], records: Sequence[Record]) -> Attack:
        """Say what became of the attack, by captures that are whole."""
        frames = frames_so_far(captures)
        launched = [([frame for frame in frames if _is(frame, sent)], 1, sent.note) for sent in self._sent]
        launched += [(self._meeting(made, frames, made.since), made.at_least, made.note) for made in self._made]
        seen = [found[0] for found, _, _ in launched if found]
        attempted = bool(launched) and all(len(found) >= least for found, least, _ in launched)
        evidence = [found[0].evidence(note) for found, _, note in launched if found][:SHOWN]
        began = min((frame.time for frame in seen), default=0.0)
        met = [self._meeting(condition, frames, began) for condition in self._conditions] if seen else []
        signs = [len(f) >= c.at_least for f, c in zip(met, self._conditions, strict=False)]
        signs += [measured.succeeded for measured in self._measured]
        succeeded = bool(signs) and all(signs)
        for found, condition in zip(met, self._conditions, strict=False):
            evidence += [frame.evidence(condition.note) for frame in found[:SHOWN]]
        without = self.network.context.without
        return Attack(
            section=self._exercise.section,
            protection=self._exercise.withstood_by,
            attempted=attempted,
            succeeded=attempted and succeeded,
            expected=self._exercise.succeeds(without),
            evidence=evidence,
            events=[*(measured.told for measured in self._measured), *(_told(records, began) if seen else [])],
            caught_by=self._catching(checks, frames),
        )

    def _catching(self, checks: Sequence[Check], frames: Sequence[Frame]) -> list[str]:
        """Name rules that do not hold because of the attack: where it must fail, those that its own packets break.

        What an attacker asks to prepare it is his own too: he keeps no rule of how often.
        """
        failed = [check for check in checks if check.verdict is Verdict.FAILED]
        if self._exercise.succeeds(self.network.context.without):
            return [check.id for check in failed]
        octets = (sent for attacker in self._attackers for sent in attacker.sent)
        sent = {each[:HOP_LIMIT_AT] + each[HOP_LIMIT_AT + 1 :] for each in octets}
        own = {(frame.link, frame.number) for frame in frames if frame.same in sent or self._flooded(frame)}
        return [c.id for c in failed if c.evidence and {(e.capture, e.frame) for e in c.evidence} <= own]

    @staticmethod
    def _meeting(condition: _Condition, frames: Sequence[Frame], began: float) -> list[Frame]:
        return [f for f in frames if f.link == condition.link and f.time >= began and condition.matches(f)]


def _is(frame: Frame, sent: _Sent) -> bool:
    return frame.link == sent.link and frame.time >= sent.since and frame.captured == sent.octets


def _told(records: Sequence[Record], began: float) -> list[str]:
    """Give what nodes said of an attack, in the words of the timeline."""
    about = [r for r in records if r.time >= began and isinstance(r.event, TELLING)]
    return [f"{record.node}: {sentence(record.event)}" for record in about[:SHOWN]]
