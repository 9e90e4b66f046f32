"""Any packet: the bpf plane does what the user plane does, octet for octet, whether its programs know it or not."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv6Address

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lab.engine.io import InstallBinding, InstallReverseTunnel, InstallRouteOptimisation, InstallTunnel
from lab.plane.user import TUNNEL_MTU
from lab.wire.packet import (
    IPV6,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HomeAddressOption,
    HopByHopOptions,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    UnknownHeaderOption,
    build,
)
from tests.plane.conftest import why_not_bpf
from tests.plane.machine import FAR, FAR_TOO, HOME, OTHER_HOME, OWN
from tests.plane.twins import Twins, one_processor

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(why_not_bpf() is not None, reason=f"bpf: {why_not_bpf()}"),
]

OWN_HOME, PEER, STRANGER = (IPv6Address(text) for text in ("2001:db8:2::100", "2001:db8:c::2", "2001:db8:bad::1"))
MULTICAST, LINK_LOCAL = IPv6Address("ff0e::1"), IPv6Address("fe80::1")
DHCPV6_SERVERS, DHCPV6 = IPv6Address("ff02::1:2"), bytes.fromhex("0222 0223 000c 0000 0b000001")
LINK_MTU = 1500
EXAMPLES = 100
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""To make an example smaller means to wait for what never comes, again and again."""
UDP, ICMPV6, ESP, AH, MOBILITY, NOTHING, EXPERIMENT = 17, 58, 50, 51, 135, 59, 253

addresses = st.sampled_from(
    [
        HOME,
        OTHER_HOME,
        OWN_HOME,
        OWN,
        FAR,
        FAR_TOO,
        PEER,
        STRANGER,
        MULTICAST,
        LINK_LOCAL,
        DHCPV6_SERVERS,
        IPv6Address("::"),
    ]
)
alert = UnknownHeaderOption(option_type=5, data=b"\0\0")
limit = UnknownHeaderOption(option_type=4, data=b"\5")
home_address_options = st.builds(HomeAddressOption, home_address=addresses)
headers: SearchStrategy[ExtensionHeader] = st.one_of(
    st.just(HopByHopOptions(options=(alert,))),
    st.builds(RoutingHeaderType2, home_address=addresses),
    home_address_options.map(lambda option: DestinationOptions(options=(option,))),
    st.lists(st.one_of(home_address_options, st.just(limit)), max_size=2).map(
        lambda options: DestinationOptions(options=tuple(options))
    ),
    st.builds(FragmentHeader, offset=st.sampled_from([0, 8]), more=st.booleans(), identification=st.just(7)),
)
payloads = st.builds(
    OpaquePayload,
    next_header=st.sampled_from([UDP, ICMPV6, ESP, AH, MOBILITY, NOTHING, EXPERIMENT]),
    data=st.one_of(
        st.binary(max_size=24), st.just(DHCPV6), st.sampled_from([8, 1200, 1372, 1396, 1397, 1420]).map(bytes)
    ),
)


def packets_between(
    sources: SearchStrategy[IPv6Address], destinations: SearchStrategy[IPv6Address]
) -> SearchStrategy[bytes]:
    made = st.builds(
        Packet,
        source=sources,
        destination=destinations,
        headers=st.one_of(st.just(()), st.lists(headers, max_size=2).map(tuple)),
        payload=payloads,
        hop_limit=st.sampled_from([1, 64, 255]),
    )
    return made.map(build)


packets = packets_between(addresses, addresses)
# None from the network goes back into it: the kernel would tell of a better way as often as it likes.
others = st.sampled_from([OWN, OWN, OWN_HOME, HOME, OTHER_HOME, STRANGER, MULTICAST])


def tunnelled(inner: bytes, source: IPv6Address = FAR, destination: IPv6Address = OWN) -> bytes:
    payload = OpaquePayload(next_header=IPV6, data=inner)
    return build(Packet(source=source, destination=destination, payload=payload))


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Cut the end off, or change one of the first octets beside the addresses."""
    packet = bytearray(draw(st.one_of(packets_between(addresses, others), packets.map(tunnelled))))
    if draw(st.booleans()):
        return bytes(packet[: draw(st.integers(40, len(packet)))])
    packet[draw(st.sampled_from([4, 5, 6, 7, *range(40, min(len(packet), 110))]))] = draw(st.integers(0, 255))
    return bytes(packet)


arrivals = st.one_of(
    packets_between(addresses, others),
    st.builds(tunnelled, packets, addresses, others),
    mutated(),
)


def home_agent(twins: Twins) -> None:
    twins.apply(
        InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR),
        InstallTunnel(home_agent_address=OWN, home_address=OTHER_HOME, care_of_address=FAR_TOO),
        InstallBinding(home_address=OWN_HOME, care_of_address=FAR),
    )


def correspondent(twins: Twins) -> None:
    twins.apply(
        InstallBinding(home_address=HOME, care_of_address=FAR),
        InstallBinding(home_address=OTHER_HOME, care_of_address=FAR_TOO),
    )


def mobile_node(twins: Twins) -> None:
    twins.own(OWN_HOME)
    twins.apply(
        InstallReverseTunnel(home_agent_address=FAR, home_address=OWN_HOME, care_of_address=OWN),
        InstallRouteOptimisation(home_address=OWN_HOME, peer=FAR_TOO, care_of_address=OWN),
        InstallBinding(home_address=OTHER_HOME, care_of_address=FAR_TOO),
        InstallRouteOptimisation(home_address=OWN_HOME, peer=OTHER_HOME, care_of_address=OWN),
        InstallBinding(home_address=HOME, care_of_address=FAR_TOO),
    )


@pytest.fixture(scope="module", params=[home_agent, correspondent, mobile_node], ids=lambda role: role.__name__)
def twins(request: pytest.FixtureRequest) -> Iterator[Twins]:
    with one_processor():
        made = Twins(forwards=request.param is home_agent)
        request.param(made)
        yield made
        made.close()


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(data=st.data())
def test_what_goes_out(twins: Twins, data: st.DataObject) -> None:
    packet = data.draw(packets_between(st.sampled_from(twins.own_addresses), addresses))
    assume(len(packet) <= TUNNEL_MTU)
    twins.see(sent=packet)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(packet=arrivals.filter(lambda packet: len(packet) <= LINK_MTU))
def test_what_comes_in(twins: Twins, packet: bytes) -> None:
    twins.see(received=packet)


# What is usual never meets Python


def packet(source: IPv6Address, destination: IPv6Address, *headers: ExtensionHeader) -> bytes:
    payload = OpaquePayload(next_header=EXPERIMENT, data=b"data")
    return build(Packet(source=source, destination=destination, headers=headers, payload=payload))


def option(home: IPv6Address) -> DestinationOptions:
    return DestinationOptions(options=(HomeAddressOption(home_address=home),))


USUAL = [
    (home_agent, "out", packet(PEER, HOME)),
    (home_agent, "out", packet(OWN, OWN_HOME)),
    (home_agent, "in", tunnelled(packet(HOME, PEER))),
    (home_agent, "in", tunnelled(packet(OTHER_HOME, HOME), FAR_TOO)),
    (home_agent, "in", packet(FAR, OWN, option(HOME))),
    (home_agent, "in", packet(FAR, OWN, option(OWN_HOME))),
    (correspondent, "out", packet(OWN, OTHER_HOME)),
    (correspondent, "in", packet(FAR_TOO, OWN, option(OTHER_HOME))),
    (mobile_node, "out", packet(OWN_HOME, PEER)),
    (mobile_node, "out", packet(OWN_HOME, FAR_TOO)),
    (mobile_node, "out", packet(OWN_HOME, OTHER_HOME)),
    (mobile_node, "in", tunnelled(packet(PEER, OWN_HOME))),
    (mobile_node, "in", packet(FAR_TOO, OWN, RoutingHeaderType2(home_address=OWN_HOME))),
    (mobile_node, "in", packet(FAR_TOO, OWN, RoutingHeaderType2(home_address=OWN_HOME), option(HOME))),
]


@pytest.mark.parametrize(("role", "way", "packet"), USUAL)
def test_what_is_usual_never_meets_python(role: Callable[[Twins], None], way: str, packet: bytes) -> None:
    with one_processor(), contextlib.closing(Twins(forwards=role is home_agent)) as twins:
        role(twins)
        give = partial(twins.see, **{"sent" if way == "out" else "received": packet})
        give()  # the first of a pair may be news
        before = twins.by_programs(way)
        seen = give()
        assert twins.by_programs(way) > before
        assert seen.sent or seen.arrived


# What is spoken as on a link is the user plane's


def dhcpv6(source: IPv6Address, destination: IPv6Address) -> bytes:
    return build(Packet(source=source, destination=destination, payload=OpaquePayload(next_header=UDP, data=DHCPV6)))


CLIENT = IPv6Address("fe80::100")


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize(
    ("role", "way", "packet"),
    [
        (home_agent, "in", tunnelled(dhcpv6(CLIENT, DHCPV6_SERVERS))),
        (mobile_node, "in", tunnelled(dhcpv6(LINK_LOCAL, CLIENT))),
        (mobile_node, "out", dhcpv6(CLIENT, DHCPV6_SERVERS)),
    ],
)
def test_dhcpv6_goes_by_python(role: Callable[[Twins], None], way: str, packet: bytes) -> None:
    with one_processor(), contextlib.closing(Twins(forwards=role is home_agent)) as twins:
        role(twins)
        seen = twins.see(**{"sent" if way == "out" else "received": packet})
        assert twins.by_programs(way) == 0
        assert seen.sent or seen.arrived or seen.for_engine


# What is unusual is carried all the same, by Python

ALERT, LIMIT = HopByHopOptions(options=(alert,)), DestinationOptions(options=(limit,))
FIRST_PIECE = FragmentHeader(offset=0, more=True, identification=7)
BOTH = (RoutingHeaderType2(home_address=OWN_HOME), option(HOME))
UNUSUAL = [
    pytest.param(home_agent, "out", packet(PEER, HOME, ALERT), id="into a tunnel, hop-by-hop options"),
    pytest.param(home_agent, "out", packet(PEER, HOME, LIMIT, FIRST_PIECE), id="into a tunnel, two headers"),
    pytest.param(home_agent, "in", tunnelled(packet(HOME, PEER, ALERT, LIMIT)), id="out of a tunnel"),
    pytest.param(mobile_node, "out", packet(OWN_HOME, OTHER_HOME, ALERT), id="both added behind hop-by-hop options"),
    pytest.param(mobile_node, "out", packet(OWN_HOME, OTHER_HOME, LIMIT), id="both added before options"),
    pytest.param(mobile_node, "out", packet(OWN_HOME, OTHER_HOME, FIRST_PIECE), id="both added before a fragment"),
    pytest.param(mobile_node, "in", packet(FAR_TOO, OWN, ALERT, *BOTH), id="both behind hop-by-hop options"),
    pytest.param(mobile_node, "in", packet(FAR_TOO, OWN, *BOTH, LIMIT), id="both before options"),
    pytest.param(mobile_node, "in", packet(FAR_TOO, OWN, ALERT, *BOTH, FIRST_PIECE), id="both before a fragment"),
]


@pytest.mark.rfc6275("6.3-a", "6.4-a", "9.3.1-b", "9.3.2-a")
@pytest.mark.parametrize(("role", "way", "packet"), UNUSUAL)
def test_what_is_unusual_is_carried_by_python(role: Callable[[Twins], None], way: str, packet: bytes) -> None:
    with one_processor(), contextlib.closing(Twins(forwards=role is home_agent)) as twins:
        role(twins)
        give = partial(twins.see, **{"sent" if way == "out" else "received": packet})
        give()  # the first of a pair may be news
        before = twins.by_programs(way)
        seen = give()
        assert twins.by_programs(way) == before
        assert seen.sent or seen.arrived
