"""When a home agent tells a mobile node the prefixes of home, and what they mean for bindings (RFC 6275 §10.6)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.auth.secrets import Secrets
from lab.constants import (
    MAX_MOB_PFX_ADV_INTERVAL,
    MIN_MOB_PFX_ADV_INTERVAL,
    PREFIX_ADV_RETRIES,
    PREFIX_ADV_TIMEOUT,
    Status,
)
from lab.engine.config import HomeAgentConfig
from lab.engine.home_registration import Registration
from lab.engine.io import BindingRecord, Effect, LinkUp, Recalled, Received
from lab.engine.prefix_service import PrefixService
from lab.events import BindingRemoved, HomePrefixesChanged, PacketDropped, PrefixesAdvertised
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation, RouterAdvertisement
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import Packet, mobility_packet
from tests.engine import discovery_bench as others
from tests.engine.effects import events, sent
from tests.engine.home_agent_bench import (
    AGENT,
    CARE_OF,
    HOME,
    MAC,
    OTHER_CARE_OF,
    PREFIX,
    Bench,
    acknowledgements,
    status,
    update,
)

HOME_LINK = "ha-eth0"
LINK_LOCAL = IPv6Address("fe80::1")
NEW_PREFIX, OTHER_PREFIX = IPv6Network("2001:db8:9::/64"), IPv6Network("2001:db8:7::/64")
NEW_HOME = IPv6Address("2001:db8:9::100")
DAY = 86400


@pytest.fixture
def bench() -> Bench:
    """Give a home agent that knows how long its prefix lasts."""
    bench = Bench()
    bench.take(heard(PREFIX))
    return bench


def heard(*prefixes: IPv6Network, preferred: int | None = None, **fields: Any) -> Received:
    """Make an advertisement of a router of the home link."""
    happened = others.advertisement(1, HOME_LINK, addresses=[p.network_address + 1 for p in prefixes], **fields)
    message = happened.packet.payload
    assert isinstance(message, RouterAdvertisement)
    if preferred is None:
        return happened
    options = tuple(
        replace(option, preferred_lifetime=preferred) if isinstance(option, PrefixInformation) else option
        for option in message.options
    )
    return replace(happened, packet=replace(happened.packet, payload=replace(message, options=options)))


def solicitation(identifier: int = 7, home: IPv6Address | None = HOME) -> Received:
    """Make a Mobile Prefix Solicitation."""
    message = MobilePrefixSolicitation(identifier=identifier)
    return Received(packet=mobility_packet(CARE_OF, AGENT, message, home_address=home), interface="ha-eth1")


def told(effects: list[Effect]) -> list[tuple[Packet, MobilePrefixAdvertisement]]:
    """Pick the Mobile Prefix Advertisements."""
    return [(p, p.payload) for p in sent(effects) if isinstance(p.payload, MobilePrefixAdvertisement)]


class Service:
    """The part of a home agent that tells prefixes, with its clock; it has served a mobile node that knows all."""

    def __init__(self, seed: bytes = b"seed", dhcpv6_servers: tuple[IPv6Address, ...] = ()) -> None:
        config = HomeAgentConfig(
            interface=HOME_LINK, address=AGENT, home_prefixes=(PREFIX,), dhcpv6_servers=dhcpv6_servers
        )
        self.service, self.now = PrefixService(config, Secrets(seed)), 1000.0
        self.service.link_up(LinkUp(interface=HOME_LINK, link_layer_address=MAC, link_local_address=LINK_LOCAL))
        self.register()
        assert self.solicit()

    def register(self, care_of: IPv6Address = CARE_OF) -> list[Effect]:
        registration = Registration(
            home_address=HOME,
            care_of_address=care_of,
            sequence=1,
            lifetime=60,
            link_local=None,
            source=care_of,
            home_agent_address=AGENT,
        )
        return self.service.registered(registration, self.now)

    def solicit(self) -> list[Effect]:
        packet = solicitation().packet
        assert isinstance(packet.payload, MobilePrefixSolicitation)
        return self.service.solicited(packet, packet.payload, self.now)

    def hear(self, *prefixes: IPv6Network, **fields: Any) -> list[Effect]:
        return self.service.heard(heard(*prefixes, **fields), self.now)

    def until_told(self) -> list[tuple[Packet, MobilePrefixAdvertisement]]:
        """Let time pass until the next advertisement."""
        while True:
            due = self.service.deadline()
            assert due is not None
            self.now = due
            if found := told(self.service.advance(self.now)):
                return found

    def instants(self, seconds: float) -> list[float]:
        """Let time pass; give the instants at which something is told."""
        end, seen = self.now + seconds, []
        while (due := self.service.deadline()) is not None and due <= end:
            self.now = due
            seen += [self.now for _ in told(self.service.advance(self.now))]
        self.now = end
        return seen


# Unsolicited advertisements, §10.6.2


@pytest.mark.rfc6275("10.6.2-a")
def test_a_new_prefix_is_told_after_a_random_delay() -> None:
    delays = set()
    for number in range(20):
        service = Service(bytes((number,)))
        changed = service.hear(PREFIX, NEW_PREFIX)
        assert not told(changed)
        assert len(events(changed, HomePrefixesChanged)) == 1
        start = service.now
        service.until_told()
        delays.add(service.now - start)
    assert len(delays) > 10
    assert min(delays) >= MIN_MOB_PFX_ADV_INTERVAL
    assert max(delays) <= MAX_MOB_PFX_ADV_INTERVAL


@pytest.mark.rfc6275("10.6.2-a")
@pytest.mark.parametrize(
    ("preferred", "least", "most"),
    [(0, 600, 1200), (500, 600, 700), (600, 600, 600), (700, 600, 700), (10**9, 600, 86_400)],
)
def test_the_delay_depends_on_the_preferred_lifetime(preferred: int, least: int, most: int) -> None:
    """MinMobPfxAdvInterval + rand() % abs(min(MaxMobPfxAdvInterval, Preferred Lifetime) - MinMobPfxAdvInterval)."""
    delays = []
    for number in range(20):
        service = Service(bytes((number,)))
        service.hear(PREFIX, preferred=0, valid=1)  # what is configured is told for the first time: no change
        service.hear(PREFIX, preferred=preferred, valid=2 * 10**9)
        scheduled = service.service.deadline()
        assert scheduled is not None
        delays.append(scheduled - service.now)
    assert all(least <= delay <= most for delay in delays)
    assert max(delays) - min(delays) >= (most - least) / 2


@pytest.mark.rfc6275("10.6.3-a")
def test_an_advertisement_that_is_not_answered_is_repeated_ever_more_rarely() -> None:
    service = Service()
    service.hear(PREFIX, NEW_PREFIX)
    first, *repetitions = service.instants(2 * DAY)
    assert [instant - first for instant in repetitions] == [3.0, 9.0, 21.0]
    assert (PREFIX_ADV_TIMEOUT, PREFIX_ADV_RETRIES) == (3.0, 3)


@pytest.mark.rfc6275("10.6.3-a", "10.6.1-a")
def test_what_it_says() -> None:
    service = Service()
    own, others_own = NEW_PREFIX.network_address + 5, OTHER_PREFIX.network_address + 1
    mine = others.advertisement(1, HOME_LINK, addresses=[own], source=LINK_LOCAL, valid=4 * DAY)
    service.service.heard(mine, service.now)
    heard_at = service.now = service.now + 10.0
    service.hear(OTHER_PREFIX, valid=5 * DAY)
    ((packet, message),) = service.until_told()
    assert (packet.source, packet.destination, packet.routed_home_address) == (AGENT, CARE_OF, HOME)
    assert (message.identifier, message.managed, message.other) == (0, False, False)
    options = {option.prefix: option for option in message.options if isinstance(option, PrefixInformation)}
    assert {prefix: option.router_address for prefix, option in options.items()} == {
        AGENT: True,
        own: True,
        OTHER_PREFIX.network_address: False,  # what is told there is another router's address
    }
    assert others_own not in options
    assert options[AGENT].valid_lifetime == 0xFFFFFFFF
    passed = service.now - heard_at
    assert options[OTHER_PREFIX.network_address].valid_lifetime == 5 * DAY - passed
    assert options[own].preferred_lifetime == 4 * DAY - passed - 10


@pytest.mark.rfc6275("10.6.3-a")
@pytest.mark.parametrize("answer", ["solicitation", "Binding Update"])
def test_an_answer_ends_the_repetitions(answer: str) -> None:
    service = Service()
    service.hear(PREFIX, NEW_PREFIX)
    service.until_told()
    service.now += 1.5
    answers = service.solicit() if answer == "solicitation" else service.register()
    assert len(told(answers)) == (answer == "solicitation")
    assert service.instants(DAY - 2) == []


@pytest.mark.rfc6275("10.6.3-a")
def test_one_that_answered_nothing_is_told_when_it_registers_again() -> None:
    service = Service()
    service.hear(PREFIX, NEW_PREFIX)
    assert len(service.instants(2 * DAY)) == 1 + PREFIX_ADV_RETRIES
    ((packet, _),) = told(service.register(OTHER_CARE_OF))
    assert packet.destination == OTHER_CARE_OF
    assert len(service.instants(DAY)) == PREFIX_ADV_RETRIES


@pytest.mark.rfc6275("10.6.2-a")
@pytest.mark.parametrize("known", [True, False], ids=["told before", "never told"])
def test_it_is_told_after_the_longest_silence_whatever_happens(known: bool) -> None:
    service = Service()
    if not known:
        service.service.ended(HOME)
        assert service.register() == []
    (first, *_) = service.instants(3 * DAY)
    least = 1000.0 + MIN_MOB_PFX_ADV_INTERVAL + MAX_MOB_PFX_ADV_INTERVAL
    assert least <= first <= least + MAX_MOB_PFX_ADV_INTERVAL


@pytest.mark.rfc6275("10.6.2-a")
def test_without_a_binding_nothing_is_told() -> None:
    service = Service()
    service.hear(PREFIX, NEW_PREFIX)
    service.service.ended(HOME)
    assert service.instants(3 * DAY) == []


@pytest.mark.rfc6275("10.6.2-a")
def test_what_changes_before_it_is_told_is_told_with_it() -> None:
    service = Service()
    service.hear(PREFIX, NEW_PREFIX)
    scheduled = service.service.deadline()
    service.now += 1.0
    assert events(service.hear(PREFIX, OTHER_PREFIX), HomePrefixesChanged)
    assert service.service.deadline() == scheduled
    ((_, message),) = service.until_told()
    assert len(message.options) == 3


@pytest.mark.rfc6275("10.4.4-a", "10.6.3-a")
@pytest.mark.parametrize("servers", [(), (AGENT + 1,)], ids=["no relay agent", "relay agent"])
def test_dhcpv6_is_told_as_the_home_link_has_it_where_it_is_relayed(servers: tuple[IPv6Address, ...]) -> None:
    service = Service(dhcpv6_servers=servers)
    for managed, other in ((True, True), (False, True), (False, False)):
        happened = heard(PREFIX)
        assert isinstance(happened.packet.payload, RouterAdvertisement)
        message = replace(happened.packet.payload, managed=managed, other=other)
        service.service.heard(replace(happened, packet=replace(happened.packet, payload=message)), service.now)
        service.now += 2.0
        ((_, told_of),) = told(service.solicit())
        assert (told_of.managed, told_of.other) == ((managed, other) if servers else (False, False))


@pytest.mark.rfc6275("10.6.1-a")
@pytest.mark.parametrize("wrong", [{"hop_limit": 254}, {"source": AGENT}], ids=["forwarded", "not link-local"])
def test_advertisements_that_are_not_valid_say_nothing(wrong: dict[str, Any]) -> None:
    service = Service()
    assert service.hear(NEW_PREFIX, **wrong) == []
    elsewhere = replace(heard(NEW_PREFIX), interface="ha-eth1")
    assert service.service.heard(elsewhere, service.now) == []


# Solicited ones


@pytest.mark.rfc6275("10.6.3-a")
def test_no_more_than_one_in_a_second(bench: Bench) -> None:
    bench.register()
    assert [message.identifier for _, message in told(bench.take(solicitation(1)))] == [1]
    bench.now += 0.4
    assert bench.take(solicitation(2)) == []
    assert bench.take(solicitation(3)) == []
    seen = [(bench.now, message.identifier) for _, message in told(bench.pass_time(0.6))]
    assert [identifier for _, identifier in seen] == [3]
    assert told(bench.pass_time(50.0)) == []


@pytest.mark.rfc6275("11.4.2-a", "15.6-a")
def test_a_solicitation_without_home_address_option_is_dropped(bench: Bench) -> None:
    bench.register()
    (dropped,) = events(bench.take(solicitation(home=None)), PacketDropped)
    assert dropped.reason == "unexpected-prefix-solicitation"


def test_what_is_told_is_reported(bench: Bench) -> None:
    bench.register()
    (event,) = events(bench.take(solicitation()), PrefixesAdvertised)
    assert event == PrefixesAdvertised(home_address=HOME, care_of_address=CARE_OF, solicited=True, attempt=1)


# What prefixes mean for bindings


@pytest.mark.rfc6275("10.6.1-a", "10.3.1-b")
def test_home_addresses_of_an_advertised_prefix_are_served_and_of_an_ended_one_not(bench: Bench) -> None:
    assert status(bench.register(home=NEW_HOME)) == Status.NOT_HOME_SUBNET
    bench.take(heard(NEW_PREFIX))
    assert status(bench.register(home=NEW_HOME)) == Status.ACCEPTED
    bench.take(heard(NEW_PREFIX, valid=0))
    assert status(bench.register(2, home=NEW_HOME)) == Status.NOT_HOME_SUBNET


@pytest.mark.rfc6275("10.3.1-e")
@pytest.mark.parametrize(
    ("valid", "preferred", "asked", "expected"),
    [
        (1000, 1000, 60, Status.ACCEPTED),
        (1000, 60, 60, Status.ACCEPTED),
        (1000, 63, 60, Status.ACCEPTED),
        (1000, 59, 60, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY),
        (1000, 0, 60, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY),
        (64, 64, 60, Status.ACCEPTED),
        (63, 63, 60, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY),
        (63, 63, 3000, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY),
    ],
)
def test_status_1_says_that_the_prefix_is_deprecated_or_ends_with_the_binding(
    bench: Bench, valid: int, preferred: int, asked: int, expected: Status
) -> None:
    bench.register(1, lifetime=4)
    bench.take(heard(PREFIX, valid=valid, preferred=preferred))
    ((_, message),) = acknowledgements(bench.take(update(2, lifetime=asked)))
    assert message.status == expected
    assert message.lifetime == min(asked, valid // 4 * 4)


@pytest.mark.rfc6275("10.6.4-a")
def test_a_binding_ends_with_its_prefix_when_that_is_shortened(bench: Bench) -> None:
    bench.register(lifetime=600)
    bench.take(heard(PREFIX, valid=20))
    assert events(bench.pass_time(19.9), BindingRemoved) == []
    (removed,) = events(bench.pass_time(0.1), BindingRemoved)
    assert (removed.home_address, removed.reason) == (HOME, "expired")
    assert bench.states() == {}


@pytest.mark.rfc6275("10.6.4-a")
def test_a_binding_lasts_while_its_prefix_is_advertised(bench: Bench) -> None:
    bench.register(lifetime=600)
    for _ in range(59):
        bench.take(heard(PREFIX, valid=20))
        assert events(bench.pass_time(10.0), BindingRemoved) == []
    assert bench.states() == {str(HOME): "registered"}


@pytest.mark.rfc6275("10.6.4-a")
@pytest.mark.parametrize("late", [0.0, 1.0], ids=["told", "over before it is told"])
def test_a_binding_ends_at_once_with_a_prefix_that_is_taken_back(bench: Bench, late: float) -> None:
    bench.register(lifetime=600)
    bench.take(heard(PREFIX, valid=20 if late else 1000))
    bench.now += 20 * late
    effects = bench.take(heard(NEW_PREFIX) if late else heard(PREFIX, valid=0))
    assert [event.home_address for event in events(effects, BindingRemoved)] == [HOME]


@pytest.mark.rfc6275("10.6.3-a", "15.3-a")
def test_one_that_is_known_from_before_a_restart_is_told_when_it_asks(bench: Bench) -> None:
    record = BindingRecord(
        home_address=HOME,
        care_of_address=CARE_OF,
        sequence=1,
        lifetime=60,
        link_local=None,
        deadline=bench.now + 60,
    )
    bench.take(Recalled(record=record))
    assert len(told(bench.take(solicitation()))) == 1
