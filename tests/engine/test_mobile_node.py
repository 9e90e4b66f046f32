"""A mobile node in every state, under every input (RFC 6275 §9.2, §9.3, §11)."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lab.constants import BindingErrorStatus, Status
from lab.engine.config import DadMode
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    Input,
    LinkDown,
    LinkHint,
    Malformed,
    PlaneEffect,
    Received,
    Refused,
    RemoveTunnel,
    Send,
    Started,
)
from lab.errors import MalformedReason, WireError
from lab.events import PacketDropped
from lab.plane.memory import MemoryPlane
from lab.wire.icmpv6 import EchoRequest, NeighborSolicitation, ParameterProblem
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingUpdate,
    BindingUpdateFlag,
    CareOfTest,
    HomeTestInit,
    UnknownMobilityMessage,
)
from lab.wire.packet import (
    DestinationOptions,
    HomeAddressOption,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    build,
    mobility_packet,
    parse,
)
from tests.engine.effects import events, of_kind, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    acknowledgement,
    carrier,
    mobile_config,
    updates,
)

PEER = IPv6Address("2001:db8:c::1")


def at(place: str) -> MobileBench:
    """Bring a node into a place."""
    dad = DadMode.STANDARD if place in ("settling", "away untested") else DadMode.OPTIMISTIC
    bench = MobileBench(mobile_config(dad=dad))
    match place:
        case "linkless":
            pass
        case "unattached":
            bench.take(carrier())
        case "settling" | "athome":
            bench.arrive(HOME_LINK)
        case "away untested" | "away pending":
            bench.arrive(VISITED1)
        case "away registered":
            bench.register(VISITED1)
        case "returning":
            bench.register(VISITED1)
            bench.arrive(HOME_LINK)
    assert bench.entry["place"] == {"linkless": "unattached"}.get(place, place.split(maxsplit=1)[0])
    return bench


PLACES = [
    "linkless",
    "unattached",
    "settling",
    "athome",
    "away untested",
    "away pending",
    "away registered",
    "returning",
]


def received(payload: Any, source: IPv6Address = PEER, **fields: Any) -> Received:
    packet = Packet(source=source, destination=VISITED1.care_of(), payload=payload, **fields)
    return Received(packet=packet, interface=INTERFACE)


ACCEPTED = BindingAcknowledgement(status=Status.ACCEPTED, sequence=1, lifetime=60)
REFUSED = replace(ACCEPTED, status=Status.REASON_UNSPECIFIED, lifetime=0)
OUT_OF_WINDOW = replace(ACCEPTED, status=Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, sequence=99)
INPUTS: dict[str, Input] = {
    "started": Started(),
    "link up": carrier(),
    "link down": LinkDown(interface=INTERFACE),
    "link hint": LinkHint(interface=INTERFACE),
    "home advertisement": HOME_LINK.advertisement(),
    "foreign advertisement": VISITED1.advertisement(),
    "other foreign advertisement": VISITED2.advertisement(),
    "router answers": VISITED1.answer(),
    "home address solicited": received(NeighborSolicitation(target=HOME), HOME_LINK.address, hop_limit=255),
    "accepted": acknowledgement(ACCEPTED),
    "accepted at home": acknowledgement(ACCEPTED, home=None),
    "refused": acknowledgement(REFUSED),
    "out of window": acknowledgement(OUT_OF_WINDOW),
    "not bound": acknowledgement(replace(REFUSED, status=Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE)),
    "care-of address unique": DadSucceeded(address=VISITED1.care_of()),
    "care-of address duplicate": DadFailed(address=VISITED1.care_of()),
    "home address unique": DadSucceeded(address=HOME),
    "home address duplicate": DadFailed(address=HOME),
    "deadline": DeadlineReached(),
    "refused by plane": Refused(effect=RemoveTunnel(home_address=HOME), reason="test"),
    "unknown type": received(UnknownMobilityMessage(mh_type=99, data=b"")),
    "care-of test": received(CareOfTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))),
    "echo": received(EchoRequest(identifier=1, sequence=1, data=b"")),
    "payload": received(OpaquePayload(next_header=17, data=bytes(8))),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("happened", INPUTS)
def test_every_input_in_every_state(place: str, happened: str) -> None:
    """Nothing raises, everything sent can be built, and time goes on."""
    bench = at(place)
    bench.now += 0.5
    effects = bench.take(INPUTS[happened]) + bench.pass_time(100)
    for packet in sent(effects):
        assert parse(build(packet)) == packet
    due = bench.node.deadline()
    assert due is None or due >= bench.now


# What is answered whatever the state


@pytest.mark.rfc6275("9.2-a", "9.3.3-a", "6.1.9-a")
@pytest.mark.case("MN-127", "MN-129")
@pytest.mark.parametrize("source", [AGENT, PEER])
def test_an_unknown_type_is_answered(source: IPv6Address) -> None:
    bench = at("away registered")
    (answer,) = sent(bench.take(received(UnknownMobilityMessage(mh_type=99, data=b""), source)))
    assert (answer.source, answer.destination) == (VISITED1.care_of(), source)
    assert answer.payload == BindingError(
        status=BindingErrorStatus.UNRECOGNIZED_MH_TYPE, home_address=IPv6Address("::")
    )


@pytest.mark.rfc6275("9.2-a", "9.3.3-a", "11.3.1-a")
@pytest.mark.case("MN-128")
def test_through_the_tunnel_it_is_answered_through_the_tunnel() -> None:
    bench = at("away registered")
    unknown = Packet(source=PEER, destination=HOME, payload=UnknownMobilityMessage(mh_type=99, data=b""))
    (effect,) = of_kind(bench.take(Received(packet=unknown, interface=INTERFACE, tunnelled=True)), Send)
    assert effect.tunnelled
    assert (effect.packet.source, effect.packet.destination) == (HOME, PEER)


@pytest.mark.rfc6275("9.2-a", "6.1.1-a")
@pytest.mark.parametrize(
    ("reason", "pointer", "answers"),
    [
        pytest.param(MalformedReason.BAD_PAYLOAD_PROTO, 64, 1, marks=pytest.mark.case("MN-136")),
        pytest.param(MalformedReason.MESSAGE_TOO_SHORT, 65, 1, marks=pytest.mark.case("MN-137")),
        pytest.param(MalformedReason.BAD_CHECKSUM, None, 0, marks=pytest.mark.case("MN-138")),
    ],
)
def test_malformed_messages(reason: MalformedReason, pointer: int | None, answers: int) -> None:
    bench = at("away pending")
    error = WireError(reason, "test", pointer)
    malformed = Malformed(
        error=error, source=AGENT, destination=VISITED1.care_of(), invoking=bytes(80), interface=INTERFACE
    )
    effects = bench.take(malformed)
    assert [event.reason for event in events(effects, PacketDropped)] == [reason]
    problems = [(p.source, p.home_address, p.payload) for p in sent(effects)]
    problem = ParameterProblem(code=0, pointer=pointer or 0, invoking=bytes(80))
    assert problems == [(VISITED1.care_of(), None, problem)] * answers
    assert bench.entry["state"] == "pending"


@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a")
def test_a_home_address_without_binding_is_answered() -> None:
    headers = (DestinationOptions(options=(HomeAddressOption(home_address=PEER + 1),)),)
    (answer,) = sent(
        at("away registered").take(received(OpaquePayload(next_header=17, data=bytes(8)), headers=headers))
    )
    status = BindingErrorStatus.UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION
    assert answer.payload == BindingError(status=status, home_address=PEER + 1)


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (received(CareOfTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))), "unexpected-care-of-test"),
        (received(HomeTestInit(cookie=bytes(8))), "not-for-home-address"),
        (received(OpaquePayload(next_header=17, data=bytes(8))), "unsupported-packet"),
        (
            received(
                OpaquePayload(next_header=17, data=bytes(8)),
                headers=(RoutingHeaderType2(home_address=HOME),),
            ),
            "unsupported-packet",
        ),
        (
            Received(
                packet=mobility_packet(
                    PEER, AGENT, BindingUpdate(sequence=1, flags=BindingUpdateFlag(0), lifetime=60), home_address=HOME
                ),
                interface=INTERFACE,
            ),
            "not-for-home-address",
        ),
    ],
)
def test_what_is_not_offered_is_dropped_and_counted(packet: Received, reason: str) -> None:
    effects = at("away registered").take(packet)
    assert [event.reason for event in events(effects, PacketDropped)] == [reason]
    assert not sent(effects)


# Whatever happens, in any order


class AnyOrder(RuleBasedStateMachine):
    """Drive a node by inputs in any order; a plane carries its effects out."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = MobileBench()
        self.plane = MemoryPlane()
        self.sequences: list[int] = []

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                build(effect.packet)
            if isinstance(effect, PlaneEffect):
                self.plane.apply(effect)
        self.sequences += [update.sequence for update in updates(effects)]

    @rule(happened=st.sampled_from(sorted(INPUTS)))
    def happen(self, happened: str) -> None:
        if happened == "out of window":
            self.sequences.clear()
        self.carry_out(self.bench.take(INPUTS[happened]))

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.5, 2.0, 30.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.carry_out(self.bench.pass_time(seconds))

    @rule(status=st.sampled_from([0, 1, 128, 133, 255]), lifetime=st.sampled_from([0, 4, 60]))
    def answer(self, status: int, lifetime: int) -> None:
        sequence = self.bench.entry["sequence"]
        message = BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime)
        home = None if self.bench.entry["place"] == "returning" else HOME
        self.carry_out(self.bench.take(acknowledgement(message, home=home)))

    @invariant()
    def sequence_numbers_grow(self) -> None:
        assert self.sequences == sorted(set(self.sequences))

    @invariant()
    def the_home_address_is_on_the_link_or_in_the_tunnel(self) -> None:
        if self.bench.entry["place"] == "athome":
            assert HOME not in self.plane.reverse_tunnels
        if HOME in self.plane.addresses:
            assert self.bench.entry["place"] in ("athome", "unattached", "settling")


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.sampled_from(sorted(INPUTS)), max_size=30))
def test_same_inputs_same_effects(history: list[str]) -> None:
    def play() -> list[list[Effect]]:
        bench = MobileBench()
        return [bench.take(INPUTS[happened]) for happened in history]

    assert play() == play()
