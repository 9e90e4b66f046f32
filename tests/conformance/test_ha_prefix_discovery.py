"""Mobile prefix discovery at a home agent, octet by octet (RFC 6275 §10.6, §10.3.1)."""

from typing import Any

import pytest

from lab.engine.io import Effect, Received
from lab.wire.icmpv6 import MobilePrefixAdvertisement
from lab.wire.mobility import BindingError
from lab.wire.packet import build, parse
from tests.conformance.prefix_octets import ADVERTISEMENT, AUTONOMOUS, ON_LINK, ROUTER_ADDRESS, Told, read, solicitation
from tests.engine.discovery_bench import advertisement
from tests.engine.effects import sent
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, OTHER_CARE_OF, Bench, acknowledgements

VALID = 1000
LONGEST = 0xFFFF * 4


def solicit(bench: Bench, **fields: Any) -> list[Effect]:
    octets = solicitation(
        fields.get("identifier", 0x4321),
        source=fields.get("source", CARE_OF),
        destination=AGENT,
        home=fields.get("home", HOME),
        reserved=fields.get("reserved", 0),
    )
    return bench.take(Received(packet=parse(octets), interface="ha-eth1"))


def advertised(effects: list[Effect]) -> Told:
    (packet,) = sent(effects)
    return read(build(packet))


@pytest.fixture
def bench() -> Bench:
    """Give a home agent whose home prefix is advertised."""
    bench = Bench()
    bench.take(advertisement(1, "ha-eth0", valid=VALID))
    return bench


@pytest.mark.rfc6275("10.6.3-a", "6.5-a")
@pytest.mark.case("HA-215", "HA-216")
def test_a_registered_node_that_asks_is_told(bench: Bench) -> None:
    bench.register()
    told = advertised(solicit(bench))
    assert (told.kind, told.identifier, told.reserved) == (ADVERTISEMENT, 0x4321, 0)
    assert (told.source, told.destination, told.routed) == (AGENT, CARE_OF, HOME)
    (option,) = told.options
    assert (option.address, option.length) == (AGENT, 64)
    assert option.flags == ON_LINK | AUTONOMOUS | ROUTER_ADDRESS
    assert (option.valid, option.preferred) == (VALID, VALID)


@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "10.6.3-a", "15.6-a")
@pytest.mark.case("HA-217", "HA-218")
@pytest.mark.parametrize("registered", [False, True], ids=["nobody", "another care-of address"])
def test_a_node_without_a_binding_is_told_nothing(bench: Bench, registered: bool) -> None:
    if registered:
        bench.register(care_of=OTHER_CARE_OF)
    (packet,) = sent(solicit(bench))
    assert packet.payload == BindingError(status=1, home_address=HOME)
    assert (packet.source, packet.destination) == (AGENT, CARE_OF)


@pytest.mark.rfc6275("10.6.4-a", "10.3.1-e", "10.6.3-a")
@pytest.mark.case("HA-219", "HA-220")
def test_the_prefix_is_told_to_last_as_long_as_the_binding(bench: Bench) -> None:
    ((_, message),) = acknowledgements(bench.register(lifetime=LONGEST))
    (option,) = advertised(solicit(bench)).options
    assert message.lifetime == VALID
    assert option.valid >= message.lifetime


@pytest.mark.rfc6275("10.3.1-e", "10.6.4-a", "7.2-a")
@pytest.mark.case("HA-020")
def test_no_binding_is_granted_beyond_the_end_of_its_prefix(bench: Bench) -> None:
    bench.pass_time(10.0)
    ((_, message),) = acknowledgements(bench.register(lifetime=LONGEST))
    assert message.status == 1  # the prefix ends with the binding
    assert message.lifetime == 988  # what 990 seconds are in units of 4


@pytest.mark.rfc6275("6.5-a", "10.6.3-a")
@pytest.mark.case("HA-221", "HA-222")
def test_the_reserved_field_of_a_solicitation_is_ignored(bench: Bench) -> None:
    bench.register()
    plain = solicit(bench)
    bench.pass_time(1.0)
    with_reserved = advertised(solicit(bench, reserved=0xFFFF))
    assert isinstance(sent(plain)[0].payload, MobilePrefixAdvertisement)
    assert with_reserved.identifier == 0x4321
    assert with_reserved.routed == HOME
