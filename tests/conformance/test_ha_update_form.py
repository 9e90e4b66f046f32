"""The form of Binding Updates at a home agent, octet by octet (RFC 6275 §6.1.1, §6.1.7)."""

import pytest

from lab.engine.io import DadSucceeded, Received
from lab.wire.packet import parse
from tests.conformance.octets import (
    BINDING_UPDATE,
    MOBILITY_HEADER,
    RESERVED_FLAGS,
    A,
    H,
    mobility,
    upper,
    with_alternate,
)
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, Bench, acknowledgements


@pytest.mark.rfc6275("6.1.1-b", "6.1.7-a")
@pytest.mark.case("HA-025", "HA-026")
def test_reserved_bits_are_ignored() -> None:
    """As in a registration without them: the same answer, and the same binding."""
    described = []
    for reserved in (0, 0xFF):
        flags = A | H | (RESERVED_FLAGS if reserved else 0)
        data = (7).to_bytes(2, "big") + flags.to_bytes(2, "big") + (15).to_bytes(2, "big")
        header = mobility(BINDING_UPDATE, with_alternate(data, CARE_OF), reserved=reserved)
        octets = upper(MOBILITY_HEADER, header, source=CARE_OF, destination=AGENT, home=HOME)
        bench = Bench()
        effects = bench.take(Received(packet=parse(octets), interface="ha-eth1"))
        effects += bench.take(DadSucceeded(address=HOME))
        ((packet, message),) = acknowledgements(effects)
        assert (message.status, message.sequence, message.lifetime) == (0, 7, 60)
        described.append((packet, bench.agent.snapshot(bench.now)))
    assert described[0] == described[1]
