"""A correspondent without route optimisation answers rightly what it does not offer (RFC 6275 §9)."""

from ipaddress import IPv6Address

import pytest

from lab.constants import Status
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.io import Effect, Malformed, Received, Started
from lab.errors import MalformedReason, WireError
from lab.events import PacketDropped
from lab.wire.icmpv6 import EchoRequest
from lab.wire.mobility import BindingError, CareOfTestInit, UnknownMobilityMessage
from lab.wire.packet import DestinationOptions, HomeAddressOption, OpaquePayload, Packet, Payload
from tests.engine.effects import events, sent
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, A, H, acknowledgements, from_home, update


def take(received: Received) -> list[Effect]:
    return Correspondent(CorrespondentConfig()).handle(received, 0.0)


def packet(payload: Payload, *, home: IPv6Address | None = None) -> Received:
    headers = () if home is None else (DestinationOptions(options=(HomeAddressOption(home_address=home),)),)
    return Received(packet=Packet(source=CARE_OF, destination=AGENT, headers=headers, payload=payload), interface="x")


@pytest.mark.rfc6275("9.5.1-e", "9.5.4-a")
@pytest.mark.parametrize("flags", [A | H, H])
def test_a_home_registration_is_refused(flags: int) -> None:
    ((answer, message),) = acknowledgements(take(update(9, flags=A.__class__(flags))))
    assert (message.status, message.sequence) == (Status.HOME_REGISTRATION_NOT_SUPPORTED, 9)
    assert (answer.destination, answer.routed_home_address) == (CARE_OF, HOME)


def test_from_home_it_is_refused_without_a_routing_header() -> None:
    ((answer, _),) = acknowledgements(take(from_home(1)))
    assert answer.routed_home_address is None


@pytest.mark.rfc6275("9.5.1-d", "9.5.1-a", "6.3-b")
@pytest.mark.parametrize(
    ("received", "reason"),
    [
        (update(flags=A), "unauthorized-binding-update"),
        (update(home=IPv6Address("ff02::1")), "invalid-home-address"),
        (packet(CareOfTestInit(cookie=bytes(8))), "unsupported-message"),
        (packet(OpaquePayload(next_header=17, data=b"")), "unsupported-packet"),
    ],
)
def test_silent_drops(received: Received, reason: str) -> None:
    effects = take(received)
    assert sent(effects) == []
    assert [drop.reason for drop in events(effects, PacketDropped)] == [reason]


@pytest.mark.rfc6275("9.2-a", "9.3.3-a", "6.1.9-a")
@pytest.mark.case("CN-029")
@pytest.mark.parametrize(("home", "named"), [(None, IPv6Address("::")), (HOME, HOME)])
def test_an_unknown_type_gets_a_binding_error(home: IPv6Address | None, named: IPv6Address) -> None:
    (answer,) = sent(take(packet(UnknownMobilityMessage(mh_type=8, data=b""), home=home)))
    assert answer.payload == BindingError(status=2, home_address=named)


@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
def test_an_unbound_home_address_gets_a_binding_error() -> None:
    (answer,) = sent(take(packet(EchoRequest(identifier=1, sequence=1), home=HOME)))
    assert answer.payload == BindingError(status=1, home_address=HOME)


def test_the_rest_is_the_kernels() -> None:
    node = Correspondent(CorrespondentConfig())
    assert node.handle(Started(), 0.0) == []
    assert take(packet(EchoRequest(identifier=1, sequence=1))) == []
    assert node.deadline() is None
    assert node.snapshot(0.0) == []
    error = WireError(MalformedReason.BAD_CHECKSUM, "no")
    malformed = Malformed(error=error, source=CARE_OF, destination=AGENT, invoking=b"", interface="x")
    assert sent(node.handle(malformed, 0.0)) == []
