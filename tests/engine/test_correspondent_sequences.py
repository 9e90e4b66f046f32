"""Any sequence of inputs leaves a correspondent as RFC 6275 wants it."""

from ipaddress import IPv6Address
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from lab.constants import MAX_RR_BINDING_LIFETIME
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import REFRESH_REQUESTS
from lab.engine.io import AskUse, Effect, InstallBinding, Received, Refused, Started, Used
from lab.engine.sequence import is_newer
from lab.events import BindingDeregistered, BindingRefreshRequested, BindingRegistered
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate
from lab.wire.packet import mobility_packet
from tests.engine.correspondent_bench import PEER, A, Bench, Tokens, arrived, echo, unreachable
from tests.engine.effects import events, of_kind, sent
from tests.fuzz.wire_packets import mobility_messages

HOMES = [IPv6Address(f"2001:db8:1::{number:x}") for number in range(0x100, 0x103)]
CARE_OFS = [IPv6Address(f"2001:db8:a{number}::2") for number in range(1, 4)]
ROOM = 2

homes = st.sampled_from(HOMES)
care_ofs = st.sampled_from(CARE_OFS + HOMES[:1])  # one of which is somebody's home address
sequences = st.one_of(st.integers(0, 3), st.integers(0, 0xFFFF))
lifetimes = st.sampled_from([0, 4, 40, 420, 0xFFFF * 4])
pauses = st.sampled_from([0.0, 0.5, 3.0, 10.0, 29.0, 100.0, 210.0, 240.0])


class Correspondence(RuleBasedStateMachine):
    """Mobile nodes, thieves of what they sent, and time."""

    tokens = Bundle("tokens")
    updates = Bundle("updates")

    @initialize(evict=st.booleans(), limited=st.booleans())
    def begin(self, evict: bool, limited: bool) -> None:
        self.bench = Bench(CorrespondentConfig(max_bindings=ROOM if limited else None, evict=evict))
        self.tested: dict[int, float] = {}
        """When the later of the tokens of a Binding Update was got, by the octets of the latter."""
        self.accepted: set[bytes] = set()
        self.proved: set[IPv6Address] = set()
        """Home addresses for which a valid Binding Update came."""
        self.requests = dict.fromkeys(HOMES, 0)
        self.may_ask = dict.fromkeys(HOMES, False)

    @rule(target=tokens, home=homes, care_of=care_ofs)
    def test(self, home: IPv6Address, care_of: IPv6Address) -> tuple[IPv6Address, IPv6Address, Tokens]:
        return home, care_of, self.bench.tokens(home, care_of)

    @rule(
        target=updates, held=tokens, sequence=sequences, lifetime=lifetimes, at_home=st.booleans(), asks=st.booleans()
    )
    def update(
        self,
        held: tuple[IPv6Address, IPv6Address, Tokens],
        sequence: int,
        lifetime: int,
        at_home: bool,
        asks: bool,
    ) -> Any:
        home, care_of, tokens = held
        if at_home or home == care_of:
            care_of = home
        flags = A if asks else A.__class__(0)
        update = self.bench.update(sequence, tokens=tokens, lifetime=lifetime, flags=flags, home=home, care_of=care_of)
        told = (update, tokens.got)
        self.deliver(told, genuine=True)
        return told

    @rule(target=updates, held=tokens, other=homes, sequence=sequences)
    def forge(self, held: tuple[IPv6Address, IPv6Address, Tokens], other: IPv6Address, sequence: int) -> Any:
        """Use the tokens of another home address."""
        home, care_of, tokens = held
        if other in (home, care_of):
            return multiple()
        update = self.bench.update(sequence, tokens=tokens, home=other, care_of=care_of)
        before = self.bench.states()
        assert not registered(self.bench.take(update))
        assert self.bench.states() == before
        return multiple()

    @rule(told=updates)
    def replay(self, told: tuple[Received, float]) -> None:
        self.deliver(told, genuine=False)

    def deliver(self, told: tuple[Received, float], *, genuine: bool) -> None:
        """Hand a Binding Update over, and judge what comes of it."""
        update, tested = told
        packet, bench = update.packet, self.bench
        message = packet.payload
        assert isinstance(message, BindingUpdate)
        home = packet.home_address or packet.source
        kept = {entry["home_address"]: entry["sequence"] for entry in bench.node.snapshot(bench.now)}.get(str(home))
        effects = bench.take(update)
        if not registered(effects):
            assert not of_kind(effects, InstallBinding)
            return
        identity = packet.payload_octets + packet.source.packed
        assert identity not in self.accepted, "a Binding Update is accepted once"
        assert kept is None or is_newer(message.sequence, kept)
        self.accepted.add(identity)
        self.proved.add(home)
        self.requests[home], self.may_ask[home] = 0, False
        for event in events(effects, BindingRegistered):
            assert 0 < event.lifetime <= min(message.lifetime, MAX_RR_BINDING_LIFETIME)
            assert bench.now + event.lifetime <= tested + MAX_RR_BINDING_LIFETIME
        for answer in sent(effects):
            assert isinstance(answer.payload, BindingAcknowledgement)
            assert message.flags & A
            assert answer.destination == packet.source
        if not genuine:
            assert bench.now < tested + 240.0

    @rule(pause=pauses, used=st.booleans())
    def wait(self, pause: float, used: bool) -> None:
        bench, end = self.bench, self.bench.now + pause
        while (due := bench.node.deadline()) is not None and due <= end:
            bench.used = used
            effects = bench.pass_time(max(due - bench.now, 0.0))
            self.ask(effects, used)
        bench.now = end

    def ask(self, effects: list[Effect], used: bool) -> None:
        """Count Binding Refresh Requests, which are for bindings in use alone."""
        for event in events(effects, BindingRefreshRequested):
            assert used
            self.requests[event.home_address] += 1
            assert self.requests[event.home_address] <= REFRESH_REQUESTS
        asked = of_kind(effects, AskUse)
        assert len(events(effects, BindingRefreshRequested)) <= len(asked)

    @rule(home=homes, care_of=care_ofs)
    def unreachable(self, home: IPv6Address, care_of: IPv6Address) -> None:
        self.bench.take(unreachable(home, care_of))

    @rule(home=homes, care_of=care_ofs)
    def payload(self, home: IPv6Address, care_of: IPv6Address) -> None:
        effects = self.bench.take(echo(home, care_of))
        assert bool(sent(effects)) <= (self.bench.installed.get(home) != care_of)

    @precondition(lambda self: self.bench.installed)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        home = data.draw(st.sampled_from(sorted(self.bench.installed)))
        install = InstallBinding(home_address=home, care_of_address=self.bench.installed[home])
        self.bench.take(Refused(effect=install, reason="full"))

    @rule(home=homes, used=st.booleans())
    def told(self, home: IPv6Address, used: bool) -> None:
        """Nobody asked: but an answer may come late."""
        self.bench.take(Started())
        self.bench.take(Used(home_address=home, peer=PEER, used=used))

    @rule(message=mobility_messages, source=care_ofs, home=st.one_of(st.none(), homes))
    def anything(self, message: Any, source: IPv6Address, home: IPv6Address | None) -> None:
        before = self.bench.states()
        effects = self.bench.take(arrived(mobility_packet(source, PEER, message, home_address=home)))
        assert not registered(effects)
        assert self.bench.states() == before

    @invariant()
    def the_plane_has_what_is_bound(self) -> None:
        states = self.bench.states()
        assert {*self.bench.installed} == {home for home, state in states.items() if state == "bound"}
        assert {*states} <= self.proved, "nothing is kept before the first valid Binding Update"
        if self.bench.node._config.max_bindings is not None:
            assert len(self.bench.installed) <= ROOM
        assert (self.bench.node.deadline() is None) == (not states)


def registered(effects: list[Effect]) -> bool:
    return bool(events(effects, BindingRegistered) or events(effects, BindingDeregistered))


Correspondence.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
TestCorrespondence = Correspondence.TestCase
