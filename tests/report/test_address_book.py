"""Whose an address is, where mobile nodes are, and who serves."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from lab.errors import ConfigError
from lab.events import HomeAddressAdded, MoveBegan, NodeKilled, NodeStarted, Record
from lab.report.address_book import address_book
from lab.report.model import Link, Result
from tests.report.played import AGENT, BEGAN, CARE_OF, HOME, mac, network, records

ANOTHER = IPv6Address("2001:db8:1::101")
BOOK = address_book(network(), records())


def test_addresses_have_owners_and_words() -> None:
    assert {BOOK.owners[IPv6Address(address)] for address in (HOME, CARE_OF)} == {"mn"}
    assert [BOOK.explain(IPv6Address(address)) for address in (HOME, CARE_OF, AGENT, "::1")] == [
        *("home address of mn", "care-of address of mn on away", "ha on home", ""),
    ]
    assert BOOK.stations[bytes.fromhex(mac("ar", "away").replace(":", ""))] == "ar"


def test_links_are_known_by_their_prefixes() -> None:
    assert [BOOK.link_of(IPv6Address(address)) for address in (CARE_OF, HOME, "2001:db9::")] == ["away", "home", ""]


def test_a_mobile_node_is_where_it_went_last() -> None:
    back = MoveBegan(mobile_node="mn", from_link="away", to_link="home", outage=None)
    book = address_book(network(), [*records(), Record(time=BEGAN + 9, node="lab", event=back)])
    assert [book.at("mn", BEGAN + time) for time in (-1, 0, 8, 9)] == ["home", "away", "away", "home"]
    assert book.at("cn", BEGAN) is None


def test_several_home_addresses_are_told_apart() -> None:
    more = Record(time=BEGAN, node="mn", event=HomeAddressAdded(home_address=ANOTHER))
    assert BOOK.bearer(IPv6Address(HOME)) == "mn"
    assert address_book(network(), [*records(), more]).bearer(ANOTHER) == "mn (…:101)"
    assert BOOK.bearer(ANOTHER) == str(ANOTHER)


MN = network().nodes[-1]
ODD = replace(MN.interfaces[0], link_layer_address="elsewhere")


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (replace(network(), links=[Link(name="home", prefix="here")]), "here"),
        (replace(network(), nodes=[replace(MN, home_addresses=["there"])]), "there"),
        (replace(network(), nodes=[replace(MN, interfaces=[ODD])]), "fromhex"),
    ],
)
def test_what_is_no_address_is_named(of: Result, said: str) -> None:
    with pytest.raises(ConfigError, match=f"result.json: links and nodes: .*{said}"):
        address_book(of, [])


def test_a_daemon_serves_until_it_is_killed_and_again_when_it_is_started() -> None:
    told = [
        Record(time=5.0, node="lab", event=NodeKilled(name="ha")),
        Record(time=7.0, node="ha", event=NodeStarted(role="home-agent", plane="user")),
    ]
    book = address_book(network(), told)
    assert [book.serves("ha", time) for time in (4.0, 5.0, 6.0, 7.0)] == [True, False, False, True]
    assert book.serves("cn", 6.0)
