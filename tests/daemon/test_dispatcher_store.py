"""The dispatcher and what survives: kept before anything behind it, and refused where it cannot be (RFC 6275 §15.3)."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.auth.secrets import Secrets
from lab.constants import RETRANS_TIMER, Status
from lab.daemon.dispatcher import Dispatcher
from lab.engine.config import HomeAgentConfig
from lab.engine.home_agent import HomeAgent
from lab.engine.io import CutOff, DeadlineReached, Forget, Input, InstallTunnel, Remember, Send, StoreEffect
from lab.errors import StoreError
from lab.events import BindingRegistered, BindingRemoved, EffectRefused, Event
from lab.plane.memory import MemoryPlane
from lab.wire.mobility import BindingAcknowledgement
from lab.wire.packet import Packet
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, OTHER_CARE_OF, PREFIX, from_home, update


@dataclass
class Disk:
    """Notes what it is told; full when it is told so."""

    done: list[Any]
    full: bool = False
    full_when_flushed: bool = False
    pending: list[Any] = field(default_factory=list)
    flushed: int = 0

    def apply(self, effect: StoreEffect) -> None:
        self._fit(self.full)
        self.pending.append(effect)

    def flush(self) -> None:
        if self.pending:
            self._fit(self.full_when_flushed)
            self.done += self.pending
            self.pending.clear()
            self.flushed += 1

    def _fit(self, full: bool) -> None:
        if full:
            self.pending.clear()
            raise StoreError("ha.sqlite: database or disk is full")


@dataclass
class Agent:
    """A home agent as the daemon has it, but for sockets and the kernel."""

    done: list[Any] = field(default_factory=list)
    now: float = 100.0
    kept: bool = True

    def __post_init__(self) -> None:
        self.plane, self.disk = MemoryPlane(), Disk(self.done)
        config = HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX,))
        self.dispatcher = Dispatcher(
            HomeAgent(config, Secrets(b"seed")),
            self.plane,
            self,
            journal=self.done.append,
            clock=lambda: self.now,
            arm=lambda _: None,
            store=self.disk if self.kept else None,
        )

    def send(self, packet: Packet, interface: str | None, neighbor: bytes | None) -> None:
        self.done.append(Send(packet=packet, interface=interface, neighbor=neighbor))

    def join(self, *_: object) -> None:
        """Hear everything anyway."""

    def leave(self, *_: object) -> None:
        """Hear everything anyway."""

    def join_anycast(self, *_: object) -> None:
        """Hear everything anyway."""

    def feed(self, happened: Input) -> list[Any]:
        """Feed an input, and let Duplicate Address Detection pass; give what became real."""
        before = len(self.done)
        self.dispatcher.feed(happened)
        self.now += RETRANS_TIMER
        self.dispatcher.feed(DeadlineReached())
        return self.done[before:]

    def answers(self, done: list[Any]) -> list[int]:
        payloads = [what.packet.payload for what in done if isinstance(what, Send)]
        return [payload.status for payload in payloads if isinstance(payload, BindingAcknowledgement)]


def kinds(done: list[Any]) -> list[str]:
    """Name effects and acknowledgements in their order."""
    listed = [what.packet.payload if isinstance(what, Send) else what for what in done]
    return [type(what).__name__ for what in listed if isinstance(what, Remember | Forget | BindingAcknowledgement)]


@pytest.mark.rfc6275("15.3-a")
def test_no_acknowledgement_precedes_its_record() -> None:
    agent = Agent()
    for happened in (update(1), update(2), from_home(3)):
        assert kinds(agent.feed(happened)) == ["Remember", "BindingAcknowledgement"]
        assert agent.answers(agent.done)[-1] == Status.ACCEPTED


@pytest.mark.rfc6275("15.3-a")
def test_what_a_full_disk_does_not_take_is_refused() -> None:
    agent = Agent()
    agent.disk.full = True
    done = agent.feed(update(1))
    assert agent.answers(done) == [Status.INSUFFICIENT_RESOURCES]
    refused = [event for event in done if isinstance(event, EffectRefused)]
    assert refused[0] == EffectRefused(effect="Remember", reason="ha.sqlite: database or disk is full")
    assert [event.effect for event in refused] == ["Remember", "Forget"]
    assert not any(isinstance(event, BindingRegistered) for event in done)
    assert (agent.plane.tunnels, agent.plane.defended) == ({}, set())
    agent.disk.full = False
    assert agent.answers(agent.feed(update(2))) == [Status.ACCEPTED]
    assert agent.plane.tunnels


def test_a_binding_that_moves_onto_a_full_disk_ends() -> None:
    agent = Agent()
    agent.feed(update(1, care_of=CARE_OF))
    agent.disk.full = True
    done = agent.feed(update(2, care_of=OTHER_CARE_OF))
    assert agent.answers(done) == [Status.INSUFFICIENT_RESOURCES]
    assert [event.reason for event in done if isinstance(event, BindingRemoved)] == ["refused"]
    assert agent.plane.tunnels == {}


@pytest.mark.parametrize("at_once", [True, False])
def test_what_cannot_be_forgotten_holds_nothing_up(at_once: bool) -> None:
    """It is of no worth any more: what is behind it happens all the same."""
    agent = Agent()
    agent.feed(update(1, lifetime=4))
    agent.disk.full, agent.disk.full_when_flushed = at_once, not at_once
    agent.now += 10
    done = agent.feed(DeadlineReached())
    assert agent.plane.tunnels == {}
    assert [event.effect for event in done if isinstance(event, EffectRefused)] == ["Forget"]
    assert [type(event) for event in done if isinstance(event, Event)].count(BindingRemoved) == 1


@pytest.mark.rfc6275("15.3-c")
def test_a_cut_off_that_does_not_fit_on_the_disk_is_in_force() -> None:
    agent = Agent()
    agent.feed(update(1))
    agent.disk.full = True
    done = agent.feed(CutOff(home_address=HOME))
    assert [event.effect for event in done if isinstance(event, EffectRefused)] == ["RememberCutOff", "Remember"]
    assert (agent.plane.tunnels, agent.plane.defended) == ({}, set())
    assert agent.answers(done) == []
    assert agent.answers(agent.feed(update(2))) == [Status.ADMINISTRATIVELY_PROHIBITED]


def test_a_cut_off_is_on_the_disk_when_its_command_is_answered() -> None:
    agent = Agent()
    before = agent.disk.flushed
    agent.dispatcher.feed(CutOff(home_address=HOME))
    assert agent.disk.flushed == before + 1


def test_removals_are_flushed_once_for_all_that_an_input_leads_to() -> None:
    agent = Agent()
    for number in range(3):
        agent.feed(update(1, home=HOME + number, lifetime=8))
    agent.now += 10
    before = agent.disk.flushed
    agent.dispatcher.feed(DeadlineReached())
    assert kinds(agent.done)[-3:] == ["Forget"] * 3
    assert agent.disk.flushed == before + 1


@pytest.mark.rfc6275("15.3-a")
def test_what_comes_at_once_is_kept_at_once_and_then_answered() -> None:
    agent = Agent()
    for number in range(3):
        agent.feed(update(1, home=HOME + number))
    before, flushed = len(agent.done), agent.disk.flushed
    agent.dispatcher.feed(*(update(2, home=HOME + number) for number in range(3)))
    assert kinds(agent.done[before:]) == ["Remember"] * 3 + ["BindingAcknowledgement"] * 3
    assert agent.disk.flushed == flushed + 1


@pytest.mark.rfc6275("15.3-a")
@pytest.mark.parametrize("at_once", [True, False])
def test_what_was_to_be_kept_together_is_refused_together(at_once: bool) -> None:
    agent = Agent()
    for number in range(3):
        agent.feed(update(1, home=HOME + number))
    agent.disk.full, agent.disk.full_when_flushed = at_once, not at_once
    before = len(agent.done)
    agent.dispatcher.feed(*(update(2, home=HOME + number) for number in range(3)))
    assert agent.answers(agent.done[before:]) == [Status.INSUFFICIENT_RESOURCES] * 3
    assert agent.plane.tunnels == {}


def test_without_a_store_all_goes_on() -> None:
    agent = Agent(kept=False)
    assert agent.answers(agent.feed(update(1))) == [Status.ACCEPTED]
    assert agent.plane.tunnels == {
        HOME: InstallTunnel(home_agent_address=AGENT, home_address=HOME, care_of_address=CARE_OF)
    }
