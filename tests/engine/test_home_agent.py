"""Home registrations, refreshes, deregistrations, and everything that refuses them (RFC 6275 §10)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest

from lab.constants import MAX_DELETE_BCE_TIMEOUT, Status
from lab.engine.config import HomeAgentConfig
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    DefendAddress,
    InstallTunnel,
    LinkDown,
    LinkHint,
    Malformed,
    Received,
    Refused,
    RemoveTunnel,
    StartDad,
    Started,
    StopDad,
    StopDefending,
)
from lab.errors import MalformedReason, WireError
from lab.events import BindingDeregistered, BindingRegistered, BindingRejected, BindingRemoved, PacketDropped
from lab.wire.addresses import address_like
from lab.wire.icmpv6 import EchoRequest, NeighborAdvertisement, ParameterProblem
from lab.wire.mobility import BindingError, HomeTest, UnknownMobilityMessage
from lab.wire.options import BindingRefreshAdvice
from lab.wire.packet import DestinationOptions, HomeAddressOption, OpaquePayload, Packet, mobility_packet, parse
from tests.conformance import octets
from tests.engine.effects import events, names, of_kind, sent
from tests.engine.home_agent_bench import (
    AGENT,
    CARE_OF,
    HOME,
    LINK_LOCAL,
    MAC,
    OTHER_CARE_OF,
    PREFIX,
    A,
    Bench,
    H,
    L,
    acknowledgements,
    from_home,
    status,
    update,
)

FLAGS = [pytest.param(A | H, id="A set"), pytest.param(H, id="A clear")]


@pytest.mark.rfc6275("10.3.1-d", "10.3.1-g")
@pytest.mark.case("HA-041")
def test_first_registration_waits_for_duplicate_address_detection() -> None:
    bench = Bench()
    assert names(bench.take(update())) == ["StartDad"]
    assert names(bench.take(DadSucceeded(address=HOME))) == [
        "InstallTunnel",
        "DefendAddress",
        "NeighborAdvertisement",
        "Remember",
        "BindingAcknowledgement",
    ]


@pytest.mark.rfc6275("10.3.1-d", "10.3.1-h")
@pytest.mark.case("HA-042", "HA-123")
def test_with_l_the_link_local_address_is_tested_and_defended_too() -> None:
    bench = Bench()
    effects = bench.take(update(flags=A | H | L))
    assert {e.address for e in of_kind(effects, StartDad)} == {HOME, LINK_LOCAL}
    assert names(bench.take(DadSucceeded(address=LINK_LOCAL))) == []
    effects = bench.take(DadSucceeded(address=HOME))
    assert {e.address for e in of_kind(effects, DefendAddress)} == {HOME, LINK_LOCAL}
    assert status(effects) == Status.ACCEPTED


@pytest.mark.rfc6275("10.3.1-d", "9.5.4-a")
@pytest.mark.parametrize(
    ("flags", "claimed"),
    [
        pytest.param(A | H, HOME, marks=pytest.mark.case("HA-044")),
        pytest.param(A | H | L, HOME, marks=pytest.mark.case("HA-045")),
        pytest.param(A | H | L, LINK_LOCAL, marks=pytest.mark.case("HA-046")),
        pytest.param(H, HOME, marks=pytest.mark.case("HA-047")),
        pytest.param(H | L, HOME, marks=pytest.mark.case("HA-048")),
        pytest.param(H | L, LINK_LOCAL, marks=pytest.mark.case("HA-049")),
    ],
)
def test_a_claimed_address_refuses_the_registration(flags: int, claimed: IPv6Address) -> None:
    bench = Bench()
    bench.take(update(flags=A.__class__(flags)))
    effects = bench.take(DadFailed(address=claimed))
    assert status(effects) == Status.DUPLICATE_ADDRESS_DETECTION_FAILED
    assert bench.states() == {}
    assert {e.address for e in of_kind(effects, StopDad)} == ({HOME, LINK_LOCAL} - {claimed} if flags & L else set())


def test_a_foreign_claim_means_nothing() -> None:
    bench = Bench()
    bench.take(update())
    assert bench.take(DadFailed(address=LINK_LOCAL)) == []
    assert bench.take(DadSucceeded(address=LINK_LOCAL)) == []
    assert bench.states() == {str(HOME): "probing"}


@pytest.mark.rfc6275("10.3.1-i", "9.5.4-a", "6.1.8-a")
@pytest.mark.case("HA-012", "HA-016", "HA-013", "HA-017")
@pytest.mark.parametrize("flags", FLAGS)
def test_acknowledged_with_and_without_a(flags: int) -> None:
    ((packet, message),) = acknowledgements(Bench().register(7, flags=A.__class__(flags)))
    assert (packet.source, packet.destination, packet.routed_home_address) == (AGENT, CARE_OF, HOME)
    assert (message.status, message.sequence, message.lifetime) == (Status.ACCEPTED, 7, 60)


@pytest.mark.rfc6275("10.3.1-d")
def test_a_retransmission_during_the_test_is_the_one_that_is_answered() -> None:
    bench = Bench()
    bench.take(update(1))
    assert bench.take(update(2, care_of=OTHER_CARE_OF)) == []
    effects = bench.take(DadSucceeded(address=HOME))
    ((packet, message),) = acknowledgements(effects)
    assert (packet.destination, message.sequence) == (OTHER_CARE_OF, 2)
    assert of_kind(effects, InstallTunnel)[0].care_of_address == OTHER_CARE_OF


@pytest.mark.rfc6275("10.3.1-e", "6.1.8-a")
@pytest.mark.case("HA-014", "HA-018", "HA-020")
@pytest.mark.parametrize(("asked", "granted"), [(8, 8), (60, 60), (100, 40), (262140, 40)])
def test_no_more_than_asked_nor_than_allowed(asked: int, granted: int) -> None:
    bench = Bench()
    bench = Bench(config=replace(bench.config, max_binding_lifetime=43 if asked > 60 else 3600))
    ((_, message),) = acknowledgements(bench.register(lifetime=asked))
    assert message.lifetime == granted


@pytest.mark.rfc6275("10.3.1-f", "9.5.1-b")
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(
    ("last", "sequence", "accepted"),
    [
        pytest.param(15, 16, True, marks=pytest.mark.case("HA-050", "HA-052", "HA-054", "HA-056")),
        pytest.param(15, 32782, True, marks=pytest.mark.case("HA-051", "HA-053", "HA-055", "HA-057")),
        pytest.param(15, 14, False, marks=pytest.mark.case("HA-058", "HA-064", "HA-061", "HA-067")),
        pytest.param(15, 15, False, marks=pytest.mark.case("HA-059", "HA-065", "HA-062", "HA-068")),
        pytest.param(15, 32783, False, marks=pytest.mark.case("HA-060", "HA-066", "HA-063", "HA-069")),
        pytest.param(32783, 32784, True, marks=pytest.mark.case("HA-070", "HA-072", "HA-074", "HA-076")),
        pytest.param(32783, 14, True, marks=pytest.mark.case("HA-071", "HA-073", "HA-075", "HA-077")),
        pytest.param(32783, 32782, False, marks=pytest.mark.case("HA-078", "HA-084", "HA-081", "HA-087")),
        pytest.param(32783, 32783, False, marks=pytest.mark.case("HA-079", "HA-085", "HA-082", "HA-088")),
        pytest.param(32783, 15, False, marks=pytest.mark.case("HA-080", "HA-086", "HA-083", "HA-089")),
    ],
)
def test_sequence_numbers(last: int, sequence: int, accepted: bool, flags: int) -> None:
    bench = Bench()
    bench.register(last)
    effects = bench.take(update(sequence, care_of=OTHER_CARE_OF, flags=A.__class__(flags)))
    ((_, message),) = acknowledgements(effects)
    if accepted:
        assert (message.status, message.sequence) == (Status.ACCEPTED, sequence)
        assert of_kind(effects, InstallTunnel)[0].care_of_address == OTHER_CARE_OF
    else:
        assert (message.status, message.sequence) == (Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, last)
        assert of_kind(effects, InstallTunnel) == []
        assert bench.agent.snapshot(bench.now)[0]["care_of_address"] == str(CARE_OF)


@pytest.mark.rfc6275("10.3.1-b", "9.5.4-a")
@pytest.mark.case("HA-027", "HA-030", "HA-028", "HA-031")
@pytest.mark.parametrize("flags", FLAGS)
def test_not_of_the_home_subnet(flags: int) -> None:
    elsewhere = IPv6Address("2001:db8:99::1")
    assert status(Bench().take(update(home=elsewhere, flags=A.__class__(flags)))) == Status.NOT_HOME_SUBNET


@pytest.mark.rfc6275("10.3.1-c")
def test_not_for_this_node() -> None:
    bench = Bench(config=replace(Bench().config, allowed=(OTHER_CARE_OF,)))
    assert status(bench.take(update())) == Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE


@pytest.mark.rfc6275("9.5.1-f")
def test_no_room() -> None:
    bench = Bench(config=replace(Bench().config, max_bindings=1))
    bench.register()
    effects = bench.take(update(home=HOME + 1))
    assert status(effects) == Status.INSUFFICIENT_RESOURCES
    assert events(effects, BindingRejected)[0].home_address == HOME + 1
    assert status(bench.take(update(2))) == Status.ACCEPTED


@pytest.mark.rfc6275("6.1.1-b", "6.1.7-a")
@pytest.mark.case("HA-025", "HA-026")
def test_reserved_bits_are_ignored() -> None:
    bench = Bench()
    data = b"".join(number.to_bytes(2, "big") for number in (7, octets.A | octets.H | octets.RESERVED_FLAGS, 15))
    message = octets.mobility(octets.BINDING_UPDATE, octets.with_alternate(data, CARE_OF), reserved=0xFF)
    packet = octets.upper(octets.MOBILITY_HEADER, message, source=CARE_OF, destination=AGENT, home=HOME)
    bench.take(Received(packet=parse(packet), interface="ha-eth0"))
    ((_, answer),) = acknowledgements(bench.take(DadSucceeded(address=HOME)))
    assert (answer.status, answer.sequence, answer.lifetime) == (Status.ACCEPTED, 7, 60)


@pytest.mark.rfc6275("6.1.7-b")
@pytest.mark.parametrize("care_of", ["ff02::1", "fe80::1", "::1", "::"])
def test_a_care_of_address_that_cannot_be_routed(care_of: str) -> None:
    assert status(Bench().take(update(alternate=IPv6Address(care_of)))) == Status.INVALID_CARE_OF_ADDRESS


@pytest.mark.rfc6275("9.5.1-a", "6.3-b")
@pytest.mark.parametrize(
    ("flags", "home"),
    [
        pytest.param(A | H, "fe80::100", marks=pytest.mark.case("HA-035", "HA-037")),
        pytest.param(A | H | L, "fe80::100", marks=pytest.mark.case("HA-036", "HA-038")),
        pytest.param(A | H, "ff02::100", marks=pytest.mark.case("HA-039", "HA-040")),
    ],
)
def test_a_home_address_that_cannot_be_bound_is_silently_dropped(flags: int, home: str) -> None:
    bench = Bench()
    bench.register(flags=A.__class__(flags))
    effects = bench.take(update(2, home=IPv6Address(home)))
    assert sent(effects) == []
    assert events(effects, PacketDropped)[0].reason == "invalid-home-address"
    assert bench.states() == {str(HOME): "registered"}


@pytest.mark.rfc6275("6.2.4-a", "10.3.1-g")
@pytest.mark.parametrize(("lifetime", "advised"), [(60, True), (16, False)])
def test_refresh_advice_is_shorter_than_the_lifetime(lifetime: int, advised: bool) -> None:
    bench = Bench(config=replace(Bench().config, refresh_advice=20))
    ((_, message),) = acknowledgements(bench.register(lifetime=lifetime))
    assert message.options == ((BindingRefreshAdvice(refresh_interval=20),) if advised else ())


@pytest.mark.rfc6275("10.3.1-h")
@pytest.mark.case("HA-122")
def test_announcements_are_repeated_and_override() -> None:
    bench = Bench()
    effects = bench.register() + bench.pass_time(10)
    packets = [p for p in sent(effects) if isinstance(p.payload, NeighborAdvertisement)]
    assert len(packets) == 3
    for packet in packets:
        message = packet.payload
        assert isinstance(message, NeighborAdvertisement)
        assert (message.override, message.router, message.solicited) == (True, False, False)
        assert message.options[0].address == MAC  # type: ignore[union-attr] # a link-layer address
        assert packet.hop_limit == 255


def test_without_a_link_there_is_nothing_to_announce() -> None:
    assert "NeighborAdvertisement" not in names(Bench(linked=False).register())


def test_refresh_changes_neither_proxy_nor_tunnel() -> None:
    bench = Bench()
    bench.register()
    effects = bench.take(update(2, lifetime=120))
    assert names(effects) == ["Remember", "BindingAcknowledgement"]
    assert events(effects, BindingRegistered)[0].kind == "refreshed"


def test_dropping_l_stops_defending_the_link_local_address() -> None:
    bench = Bench()
    bench.register(flags=A | H | L)
    effects = bench.take(update(2))
    assert [e.address for e in of_kind(effects, StopDefending)] == [LINK_LOCAL]


@pytest.mark.rfc6275("10.3.2-b", "10.3.2-d", "6.1.7-a", "9.5.4-a")
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(
    ("at_home", "lifetime", "option"),
    [
        pytest.param(False, 0, True, marks=pytest.mark.case("HA-090", "HA-100", "HA-095", "HA-101")),
        pytest.param(True, 0, True, marks=pytest.mark.case("HA-091", "HA-096")),
        pytest.param(True, 60, True, marks=pytest.mark.case("HA-092", "HA-097")),
        pytest.param(True, 0, False, marks=pytest.mark.case("HA-093", "HA-098")),
        pytest.param(True, 60, False, marks=pytest.mark.case("HA-094", "HA-099")),
    ],
)
def test_deregistration(at_home: bool, lifetime: int, option: bool, flags: int) -> None:
    bench = Bench()
    bench.register()
    flag = A.__class__(flags)
    received = (
        from_home(2, flags=flag, lifetime=lifetime, option=option) if at_home else update(2, flags=flag, lifetime=0)
    )
    effects = bench.take(received)
    ((packet, message),) = acknowledgements(effects)
    assert (message.status, message.lifetime) == (Status.ACCEPTED, 0)
    assert packet.routed_home_address == (None if at_home else HOME)
    assert names(effects) == ["RemoveTunnel", "StopDefending", "Remember", "BindingAcknowledgement"]
    assert events(effects, BindingDeregistered)


@pytest.mark.rfc6275("10.3.1-a")
@pytest.mark.parametrize("unique", [True, False])
def test_home_addresses_that_end_alike_wait_for_one_test_of_their_link_local_address(unique: bool) -> None:
    other_prefix = IPv6Network("2001:db8:2::/64")
    other = address_like(HOME, other_prefix)
    bench = Bench(HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX, other_prefix)))
    for home in (HOME, other):
        bench.take(update(1, flags=A | H | L, home=home))
        bench.take(DadSucceeded(address=home))
    verdict = DadSucceeded(address=LINK_LOCAL) if unique else DadFailed(address=LINK_LOCAL)
    expected = Status.ACCEPTED if unique else Status.DUPLICATE_ADDRESS_DETECTION_FAILED
    answered = acknowledgements(bench.take(verdict))
    assert [(packet.routed_home_address, message.status) for packet, message in answered] == [
        (HOME, expected),
        (other, expected),
    ]


@pytest.mark.rfc6275("10.3.2-a")
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize(
    ("at_home", "lifetime", "option"),
    [
        pytest.param(False, 0, True, marks=pytest.mark.case("HA-102", "HA-112", "HA-107", "HA-113")),
        pytest.param(True, 0, True, marks=pytest.mark.case("HA-103", "HA-108")),
        pytest.param(True, 60, True, marks=pytest.mark.case("HA-104", "HA-109")),
        pytest.param(True, 0, False, marks=pytest.mark.case("HA-105", "HA-110")),
        pytest.param(True, 60, False, marks=pytest.mark.case("HA-106", "HA-111")),
    ],
)
def test_deregistration_without_a_binding(at_home: bool, lifetime: int, option: bool, flags: int) -> None:
    flag = A.__class__(flags)
    received = (
        from_home(2, flags=flag, lifetime=lifetime, option=option) if at_home else update(2, flags=flag, lifetime=0)
    )
    ((packet, message),) = acknowledgements(Bench().take(received))
    assert message.status == Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
    assert packet.routed_home_address == (None if at_home else HOME)


@pytest.mark.rfc6275("10.3.1-f", "10.3.2-b")
@pytest.mark.case("HA-114", "HA-115", "HA-116", "HA-117", "HA-118", "HA-119", "HA-120", "HA-121")
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("lifetime", [0, 60])
@pytest.mark.parametrize("option", [True, False])
def test_an_old_deregistration_from_home_is_refused(flags: int, lifetime: int, option: bool) -> None:
    bench = Bench()
    bench.register(15)
    effects = bench.take(from_home(14, flags=A.__class__(flags), lifetime=lifetime, option=option))
    ((packet, message),) = acknowledgements(effects)
    assert (message.status, message.sequence) == (Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, 15)
    assert packet.routed_home_address is None
    assert bench.states() == {str(HOME): "registered"}


@pytest.mark.rfc6275("10.3.2-c")
def test_the_sequence_number_outlives_the_binding_for_a_while() -> None:
    bench = Bench()
    bench.register(5)
    bench.take(from_home(6))
    bench.pass_time(MAX_DELETE_BCE_TIMEOUT - 1)
    assert status(bench.take(update(5))) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    effects = bench.pass_time(1)
    assert events(effects, BindingRemoved)[0].reason == "deregistered"
    assert names(bench.take(update(5))) == ["StartDad"]


@pytest.mark.rfc6275("10.3.2-c")
def test_a_repeated_deregistration_is_accepted_again() -> None:
    bench = Bench()
    bench.register(5)
    bench.take(from_home(6))
    assert status(bench.take(from_home(7))) == Status.ACCEPTED


def test_a_newer_registration_after_deregistration_tests_the_address_again() -> None:
    bench = Bench()
    bench.register(5)
    bench.take(from_home(6))
    assert names(bench.take(update(7))) == ["StartDad"]


def test_deregistration_gives_the_test_up() -> None:
    bench = Bench()
    bench.take(update(1))
    effects = bench.take(update(2, lifetime=0))
    assert [e.address for e in of_kind(effects, StopDad)] == [HOME]
    assert bench.take(DadSucceeded(address=HOME)) == []


@pytest.mark.rfc6275("9.1-a", "10.3.1-e")
@pytest.mark.case("HA-015", "HA-019")
def test_a_binding_ends_with_its_lifetime() -> None:
    bench = Bench()
    bench.register(lifetime=8)
    assert of_kind(bench.pass_time(7.9), RemoveTunnel) == []
    effects = bench.pass_time(0.2)
    assert of_kind(effects, RemoveTunnel)
    assert of_kind(effects, StopDefending)
    assert events(effects, BindingRemoved)[0].reason == "expired"
    assert bench.states() == {}


@pytest.mark.rfc6275("10.3.1-g")
@pytest.mark.parametrize("kind", [DefendAddress, InstallTunnel])
def test_what_the_plane_refuses_becomes_status_130(kind: type) -> None:
    bench = Bench()
    refused: InstallTunnel | DefendAddress = of_kind(bench.register(), kind)[0]
    effects = bench.take(Refused(effect=refused, reason="no"))
    assert status(effects) == Status.INSUFFICIENT_RESOURCES
    assert of_kind(effects, RemoveTunnel)
    assert bench.states() == {}
    assert bench.take(Refused(effect=refused, reason="no")) == []
    assert bench.take(Refused(effect=RemoveTunnel(home_address=HOME), reason="no")) == []


@pytest.mark.rfc6275("9.2-a", "9.3.3-a")
@pytest.mark.case("HA-002", "HA-006")
def test_an_unknown_type_gets_a_binding_error() -> None:
    unknown = UnknownMobilityMessage(mh_type=255, data=b"")
    packet = mobility_packet(CARE_OF, AGENT, unknown)
    (answer,) = sent(Bench().take(Received(packet=packet, interface="ha-eth1")))
    assert isinstance(answer.payload, BindingError)
    assert (answer.destination, answer.payload.status, answer.payload.home_address) == (CARE_OF, 2, IPv6Address("::"))


@pytest.mark.rfc6275("9.3.3-a")
def test_binding_errors_are_rate_limited() -> None:
    bench = Bench()
    packet = mobility_packet(CARE_OF, AGENT, UnknownMobilityMessage(mh_type=255, data=b""))
    answers = [sent(bench.take(Received(packet=packet, interface="x"))) for _ in range(50)]
    assert sum(map(len, answers)) == 10
    bench.now += 1
    assert sent(bench.take(Received(packet=packet, interface="x")))


def _with_home_address(source: IPv6Address) -> Received:
    headers = (DestinationOptions(options=(HomeAddressOption(home_address=HOME),)),)
    echo = EchoRequest(identifier=1, sequence=1)
    return Received(packet=Packet(source=source, destination=AGENT, headers=headers, payload=echo), interface="x")


@pytest.mark.rfc6275("8.1-a", "9.3.1-a", "15.8-a")
@pytest.mark.case("HA-001")
def test_an_unbound_home_address_option_gets_a_binding_error() -> None:
    bench = Bench()
    (answer,) = sent(bench.take(_with_home_address(CARE_OF)))
    assert isinstance(answer.payload, BindingError)
    assert (answer.payload.status, answer.payload.home_address) == (1, HOME)
    bench.register()
    assert sent(bench.take(_with_home_address(CARE_OF))) == []
    assert sent(bench.take(_with_home_address(OTHER_CARE_OF)))
    assert sent(bench.take(_with_home_address(IPv6Address("ff02::5")))) == []


@pytest.mark.rfc6275("9.2-a", "6.1.1-a")
@pytest.mark.case("HA-003", "HA-010", "HA-004", "HA-009", "HA-005", "HA-011", "HA-007", "HA-008")
@pytest.mark.parametrize(("pointer", "answered"), [(64, True), (None, False)])
def test_malformed_messages(pointer: int | None, answered: bool) -> None:
    error = WireError(MalformedReason.BAD_PAYLOAD_PROTO, "58", pointer)
    malformed = Malformed(error=error, source=CARE_OF, destination=AGENT, invoking=b"x" * 2000, interface="x")
    effects = Bench().take(malformed)
    assert events(effects, PacketDropped)[0].reason == "bad-payload-proto"
    problems = [p.payload for p in sent(effects) if isinstance(p.payload, ParameterProblem)]
    assert [(p.code, p.pointer) for p in problems] == ([(0, 64)] if answered else [])
    assert all(len(p.invoking) <= 1232 for p in problems)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8)), "unexpected-message"),
        (update(flags=A).packet.payload, "unauthorized-binding-update"),
        (OpaquePayload(next_header=17, data=b""), "unsupported-packet"),
    ],
)
def test_what_it_does_not_serve_is_counted(payload: object, reason: str) -> None:
    packet = Packet(source=CARE_OF, destination=AGENT, payload=payload)  # type: ignore[arg-type] # a table of payloads
    effects = Bench().take(Received(packet=packet, interface="x"))
    assert events(effects, PacketDropped)[0].reason == reason
    assert sent(effects) == []


def test_inputs_that_do_not_concern_it() -> None:
    bench = Bench()
    echo = Packet(source=CARE_OF, destination=AGENT, payload=EchoRequest(identifier=1, sequence=1))
    for happened in (
        Started(),
        LinkDown(interface="ha-eth0"),
        LinkHint(interface="ha-eth0"),
        DeadlineReached(),
        Received(packet=echo, interface="x"),
    ):
        assert bench.take(happened) == []
    assert bench.agent.deadline() is None
