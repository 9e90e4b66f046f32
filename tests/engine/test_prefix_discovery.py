"""What a mobile node knows of the prefixes of home, and when it asks (RFC 6275 §11.4.2, §11.4.3)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.auth.secrets import Secrets
from lab.engine.io import Effect, LinkDown, Received
from lab.engine.prefix_discovery import Asker, PrefixDiscovery
from lab.events import PacketDropped, PrefixesLearned, PrefixesSolicited
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation, RouterAdvertisement
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import Packet, mobility_packet
from tests.engine.effects import events, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    mobile_config,
    updates,
)

HOME_PREFIX, NEW_PREFIX = HOME_LINK.prefix, IPv6Network("2001:db8:9::/64")
NEW_HOME = IPv6Address("2001:db8:9::100")
ASKER = Asker(home_address=HOME, care_of_address=VISITED1.care_of(), home_agent=AGENT)
STATUS_1 = 1
FOREVER = 0xFFFFFFFF


def told(network: IPv6Network = HOME_PREFIX, valid: int = 1000, preferred: int | None = None, **fields: Any) -> Any:
    return PrefixInformation(
        prefix=network.network_address,
        prefix_length=network.prefixlen,
        on_link=True,
        autonomous=fields.get("autonomous", True),
        valid_lifetime=valid,
        preferred_lifetime=valid if preferred is None else preferred,
    )


def advertisement(identifier: int, *options: PrefixInformation) -> Packet:
    message = MobilePrefixAdvertisement(identifier=identifier, options=options)
    return mobility_packet(AGENT, VISITED1.care_of(), message, routed_home_address=HOME)


def solicitations(effects: list[Effect]) -> list[tuple[Packet, MobilePrefixSolicitation]]:
    return [(p, p.payload) for p in sent(effects) if isinstance(p.payload, MobilePrefixSolicitation)]


class Asking:
    """The part of a mobile node that asks, away and registered, with its clock."""

    def __init__(self) -> None:
        self.discovery, self.now = PrefixDiscovery(mobile_config(), Secrets(b"seed")), 1000.0
        self.identifier = 0
        """Of the last solicitation."""
        assert self.discovery.follow(ASKER, self.now) == []

    def ask(self) -> int:
        """Want to know; give the identifier of the solicitation."""
        self.discovery.solicit(self.now)
        assert self._proceed()
        return self.identifier

    def take(self, packet: Packet) -> list[Effect]:
        assert isinstance(packet.payload, MobilePrefixAdvertisement)
        return self.discovery.advertised(packet, packet.payload, self.now)

    def learn(self, *options: PrefixInformation) -> list[Effect]:
        """Ask and be told."""
        effects = self.take(advertisement(self.ask(), *options))
        self.now += 3.0
        return effects

    def instants(self, seconds: float) -> list[float]:
        """Let time pass; give the instants at which something is asked."""
        end, seen = self.now + seconds, []
        while (due := self.discovery.deadline()) is not None and due <= end:
            self.now = due
            seen += [self.now] * self._proceed()
        self.now = end
        return seen

    def _proceed(self) -> bool:
        asked = solicitations(self.discovery.follow(ASKER, self.now))
        self.identifier = asked[-1][1].identifier if asked else self.identifier
        return bool(asked)


@pytest.fixture
def asking() -> Asking:
    return Asking()


# Home addresses, §11.4.3


def home_addresses(asking: Asking) -> list[IPv6Address]:
    return [made.address for made in asking.discovery.home_addresses(asking.now)]


@pytest.mark.rfc6275("11.4.3-a")
def test_a_new_prefix_gives_a_home_address_with_the_identifier_of_the_first(asking: Asking) -> None:
    assert home_addresses(asking) == [HOME]
    (learned,) = events(asking.learn(told(), told(NEW_PREFIX, 2000)), PrefixesLearned)
    assert learned.home_agent == AGENT
    assert learned.prefixes == f"{HOME_PREFIX} valid 1000 preferred 1000, {NEW_PREFIX} valid 2000 preferred 2000"
    made = asking.discovery.home_addresses(asking.now)
    assert [(m.address, m.network) for m in made] == [(NEW_HOME, NEW_PREFIX), (HOME, HOME_PREFIX)]
    assert [m.valid_until for m in made] == [3000.0, 2000.0]


@pytest.mark.rfc6275("11.4.3-a")
def test_a_deprecated_prefix_comes_last_and_an_ended_one_takes_its_home_address_along(asking: Asking) -> None:
    asking.learn(told(valid=60, preferred=0), told(NEW_PREFIX, 50))
    assert home_addresses(asking) == [NEW_HOME, HOME]
    asking.now = 1055.0
    assert home_addresses(asking) == [HOME]
    asking.now = 1060.0
    assert home_addresses(asking) == []
    assert asking.discovery.valid_until(HOME, asking.now) < asking.now


def test_a_prefix_that_ends_at_once_takes_its_home_address_along(asking: Asking) -> None:
    asking.learn(told(valid=0), told(NEW_PREFIX))
    assert home_addresses(asking) == [NEW_HOME]


@pytest.mark.parametrize(
    "other",
    [told(NEW_PREFIX, autonomous=False), told(IPv6Network("2001:db8:9::/72"))],
    ids=["not autonomous", "72 bits"],
)
def test_not_every_prefix_is_for_addresses(asking: Asking, other: PrefixInformation) -> None:
    asking.learn(told(autonomous=False), other)
    assert home_addresses(asking) == [HOME]  # the first one is configured


# When to ask, §11.4.2


@pytest.mark.rfc6275("11.4.2-a")
def test_it_asks_when_four_fifths_of_the_life_are_over_and_ever_more_often(asking: Asking) -> None:
    seen = []
    asking.learn(told(valid=1000))
    for left in (200, 40, 8):
        due = asking.discovery.deadline()
        assert due is not None
        (instant,) = asking.instants(due - asking.now)
        seen.append(instant)
        asking.take(advertisement(asking.identifier, told(valid=left)))
    assert seen == [1800.0, 1960.0, 1992.0]


@pytest.mark.rfc6275("11.4.2-a")
def test_it_does_not_give_up_before_the_home_prefix_ends(asking: Asking) -> None:
    asking.learn(told(valid=1000))
    instants = asking.instants(5000)
    assert instants[:5] == [1800.0, 1803.0, 1809.0, 1821.0, 1845.0]
    assert 1890.0 < instants[5] < 2000.0
    assert instants[-1] < 2000.0


@pytest.mark.rfc6275("11.4.2-a")
def test_a_prefix_without_end_is_not_asked_for(asking: Asking) -> None:
    asking.learn(told(valid=FOREVER))
    assert asking.discovery.deadline() is None


@pytest.mark.rfc6275("11.4.2-a", "15.6-a")
def test_who_tells_all_the_time_is_asked_no_more_than_once_in_a_while(asking: Asking) -> None:
    seen = []
    for step in range(100):
        asking.now = 1000.0 + step / 10
        asking.take(advertisement(0, told(valid=8)))
        if asked := solicitations(asking.discovery.follow(ASKER, asking.now)):
            seen.append(asking.now)
            asking.take(advertisement(asked[0][1].identifier, told()))
    assert seen == [1000.0, 1003.0, 1006.0, 1009.0]


@pytest.mark.rfc6275("11.4.3-a")
def test_an_answer_counts_once(asking: Asking) -> None:
    identifier = asking.ask()
    assert events(asking.take(advertisement(identifier, told())), PrefixesLearned)
    assert not events(asking.take(advertisement(identifier, told(valid=8))), PrefixesLearned)
    assert home_addresses(asking) == [HOME]


# In a mobile node


@pytest.mark.rfc6275("11.4.2-a")
def test_it_asks_again_from_the_next_link() -> None:
    bench = MobileBench()
    ((first, message),) = solicitations(bench.register(VISITED1, status=STATUS_1))
    assert first.source == VISITED1.care_of()
    bench.now += 0.5
    effects = bench.arrive(VISITED2)
    assert solicitations(effects) == []  # nobody knows there yet who asks
    bench.acknowledge(updates(effects)[-1])
    seen = [(t, asked) for t, e in bench.timeline(3.0) for asked in solicitations(e)]
    ((instant, (packet, again)),) = seen
    assert instant == 1003.0
    assert packet.source == VISITED2.care_of()
    assert again.identifier != message.identifier


@pytest.mark.rfc6275("11.4.2-a")
def test_at_home_nothing_is_asked() -> None:
    bench = MobileBench()
    bench.register(VISITED1, status=STATUS_1)
    bench.acknowledge(updates(bench.arrive(HOME_LINK))[-1], lifetime=0, home=None)
    assert bench.entry["place"] == "athome"
    assert solicitations(bench.pass_time(100)) == []
    bench.acknowledge(updates(bench.arrive(VISITED1))[-1])
    assert solicitations(bench.pass_time(10)) == []  # the advertisements at home told it


@pytest.mark.rfc6275("11.4.2-a")
def test_without_carrier_nothing_is_asked() -> None:
    bench = MobileBench()
    bench.register(VISITED1, status=STATUS_1)
    bench.take(LinkDown(interface=INTERFACE))
    assert solicitations(bench.pass_time(30)) == []


def test_what_is_asked_is_reported() -> None:
    bench = MobileBench()
    assert events(bench.register(VISITED1, status=STATUS_1), PrefixesSolicited) == [
        PrefixesSolicited(home_agent=AGENT, attempt=1)
    ]


@pytest.mark.rfc6275("15.6-a", "11.4.3-a")
def test_before_it_is_registered_nothing_is_believed() -> None:
    bench = MobileBench()
    bench.arrive(VISITED1)
    effects = bench.take(Received(packet=advertisement(0, told(valid=8)), interface=INTERFACE))
    assert [e.reason for e in events(effects, PacketDropped)] == ["unexpected-prefix-advertisement"]
    assert solicitations(bench.pass_time(0.5)) == []


@pytest.mark.rfc6275("11.7.1-a")
def test_the_binding_is_shortened_with_the_prefix_of_the_care_of_address() -> None:
    bench = MobileBench()
    bench.register()
    (update,) = updates(bench.take(VISITED1.advertisement(valid=25)))
    assert update.lifetime == 24
    bench.acknowledge(update)
    assert updates(bench.take(VISITED1.advertisement(valid=25))) == []


@pytest.mark.rfc6275("11.5.2-a")
def test_a_prefix_of_an_impossible_length_is_passed_over() -> None:
    bench = MobileBench()
    happened = HOME_LINK.advertisement()
    message = happened.packet.payload
    assert isinstance(message, RouterAdvertisement)
    options = (replace(told(), prefix_length=200), *message.options)
    bench.arrive(VISITED1)
    bench.take(replace(happened, packet=replace(happened.packet, payload=replace(message, options=options))))
    bench.pass_time(10)
    assert bench.entry["place"] in ("returning", "athome")
