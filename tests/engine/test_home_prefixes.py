"""The prefixes of a home link as advertisements tell them (RFC 6275 §10.6.1, §10.6.2)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.engine.home_prefixes import MAX_PREFIXES, HomePrefixes
from lab.wire.neighbor import LinkMtu, PrefixInformation

FIRST, SECOND = IPv6Network("2001:db8:1::/64"), IPv6Network("2001:db8:9::/64")
IN_FIRST = IPv6Address("2001:db8:1::100")
FOREVER = 0xFFFFFFFF


def told(network: IPv6Network = FIRST, valid: int = 100, preferred: int | None = None, **fields: Any) -> Any:
    return PrefixInformation(
        prefix=fields.get("prefix", network.network_address),
        prefix_length=fields.get("length", network.prefixlen),
        on_link=fields.get("on_link", True),
        autonomous=fields.get("autonomous", True),
        valid_lifetime=valid,
        preferred_lifetime=valid if preferred is None else preferred,
    )


@pytest.fixture
def prefixes() -> HomePrefixes:
    return HomePrefixes((FIRST,))


def networks(prefixes: HomePrefixes, now: float) -> set[IPv6Network]:
    return {prefix.network for prefix in prefixes.in_force(now)}


@pytest.mark.rfc6275("10.6.1-a")
def test_a_configured_prefix_lasts_until_its_lifetime_is_told(prefixes: HomePrefixes) -> None:
    known = prefixes.find(IN_FIRST, 1e9)
    assert known is not None
    assert known.valid_until == float("inf")
    assert not prefixes.learn([told(valid=100)], 10.0)  # what was not known before does not change
    assert networks(prefixes, 109.9) == {FIRST}
    assert networks(prefixes, 110.0) == set()
    assert prefixes.find(IN_FIRST, 110.0) is None


@pytest.mark.rfc6275("10.6.1-a", "10.6.2-a")
def test_the_union_of_all_that_is_advertised(prefixes: HomePrefixes) -> None:
    assert prefixes.learn([LinkMtu(mtu=1500), told(SECOND, prefix=SECOND.network_address + 7)], 0.0)
    assert networks(prefixes, 0.0) == {FIRST, SECOND}
    assert not prefixes.learn([told(FIRST)], 1.0)
    assert networks(prefixes, 1.0) == {FIRST, SECOND}


@pytest.mark.rfc6275("10.6.2-a")
@pytest.mark.parametrize(
    ("later", "is_news"),
    [
        (told(valid=100), False),
        (told(valid=60), False),
        (told(valid=57), False),
        (told(valid=56), True),
        (told(valid=101), True),
        (told(valid=100, preferred=99), True),
        (told(valid=100, autonomous=False), True),
        (told(valid=100, on_link=False), True),
        (told(valid=0), True),
        (told(valid=FOREVER), True),
    ],
    ids=lambda value: repr(value) if isinstance(value, bool) else f"{value.valid_lifetime}",
)
def test_news_is_what_time_alone_did_not_bring(prefixes: HomePrefixes, later: PrefixInformation, is_news: bool) -> None:
    prefixes.learn([told(valid=100)], 0.0)
    assert prefixes.learn([later], 40.0) is is_news


def test_an_end_is_told_once(prefixes: HomePrefixes) -> None:
    prefixes.learn([told(valid=100)], 0.0)
    assert prefixes.learn([told(valid=0)], 1.0)
    assert networks(prefixes, 1.0) == set()
    assert not prefixes.learn([told(valid=0)], 2.0)
    assert prefixes.learn([told(valid=100)], 3.0)


def test_the_last_of_several_options_counts(prefixes: HomePrefixes) -> None:
    prefixes.learn([told(valid=50)], 0.0)
    assert prefixes.learn([told(valid=100), told(SECOND, valid=100)], 0.0)
    assert {prefix.valid_until for prefix in prefixes.in_force(0.0)} == {100.0}


@pytest.mark.parametrize(
    "bad",
    [
        told(SECOND, valid=50, preferred=51),
        told(SECOND, length=129),
        told(SECOND, length=255),
        told(IPv6Network("fe80::/64")),
        told(IPv6Network("ff05::/64")),
        told(SECOND, valid=0),
    ],
    ids=["preferred longer than valid", "129 bits", "255 bits", "link-local", "multicast", "over already"],
)
def test_what_can_be_no_prefix_of_the_link(prefixes: HomePrefixes, bad: PrefixInformation) -> None:
    assert not prefixes.learn([bad], 0.0)
    assert networks(prefixes, 0.0) == {FIRST}
    assert not prefixes.are_named([bad], 0.0)


def test_there_is_an_end_of_prefixes(prefixes: HomePrefixes) -> None:
    many = [told(IPv6Network((0x20010DB8_0000_0000 + number << 64, 64)), valid=10) for number in range(100)]
    assert prefixes.learn(many, 0.0)
    assert len(prefixes.in_force(0.0)) == MAX_PREFIXES
    assert prefixes.learn(many[-1:], 10.0)  # those before have ended


def test_the_longest_prefix_is_that_of_an_address(prefixes: HomePrefixes) -> None:
    prefixes.learn([told(IPv6Network("2001:db8::/32"), valid=7)], 0.0)
    found = prefixes.find(IN_FIRST, 1.0)
    assert found is not None
    assert found.network == FIRST


def test_its_words() -> None:
    prefixes = HomePrefixes(())
    prefixes.learn([told(valid=20, preferred=0)], 0.0)
    assert [str(prefix) for prefix in prefixes.in_force(0.0)] == ["2001:db8:1::/64 valid 20 preferred 0"]
