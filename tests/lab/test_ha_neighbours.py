"""What neighbours on the home link hear of a home agent about the addresses of a mobile node (RFC 6275 §10.4.1).

One home agent serves all cases: it should answer for what is bound and nothing else.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from ipaddress import IPv6Address
from itertools import product
from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    in6_getnsma,
    in6_getnsmac,
)
from scapy.layers.l2 import Ether

from lab.emulation.network import Network
from lab.emulation.playback import send_again
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.events import BindingDeregistered, BindingRegistered, Event, Record
from lab.netlink import ETH_P_IPV6
from lab.wire.addresses import LINK_LOCAL_PREFIX, address_from, interface_identifier
from tests.conformance.octets import BINDING_UPDATE, MOBILITY_HEADER, A, H, L, mobility, upper, with_alternate
from tests.lab.networks import WITHIN, Here, until

pytestmark = pytest.mark.privileged

ALL_NODES = "ff02::1"
LIFETIME_UNITS = 100


class HomeLink(Topology):
    """A home agent, a neighbour on the home link, and a host that stands for every mobile node that is away."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited = self.link("visited", "2001:db8:a1::/64")
        self.home_agent("ha", home=home, on=[visited])
        self.host("neighbour", on=[home])
        self.host("away", on=[visited])


class Form(Enum):
    """How a neighbour asks for an address."""

    MULTICAST = "multicast"
    UNICAST = "unicast"
    DAD = "DAD"
    WITHOUT_SLL = "unicast without SLL"


class Target(Enum):
    """What it asks for, told by an address of the mobile node."""

    HOME_ADDRESS = "home address"
    LINK_LOCAL = "link-local address"
    OTHER_GLOBAL = "another global address"
    OTHER_LINK_LOCAL = "another link-local address"


@dataclass(frozen=True)
class Mobile:
    """A mobile node that is away."""

    home_address: IPv6Address
    flags: int = A | H

    def address(self, target: Target) -> IPv6Address:
        """Give the address that is asked for."""
        own = int(self.home_address) & int(LINK_LOCAL_PREFIX.hostmask)
        if target is Target.HOME_ADDRESS:
            return self.home_address
        if target is Target.LINK_LOCAL:
            return address_from(LINK_LOCAL_PREFIX, own)
        return (
            self.home_address + 0x10 if target is Target.OTHER_GLOBAL else address_from(LINK_LOCAL_PREFIX, own + 0x10)
        )

    def group_of(self, target: Target) -> IPv6Address:
        """Give the address of the mobile node that a question reaches: the one that is meant, or that of its kind."""
        if target in (Target.LINK_LOCAL, Target.OTHER_LINK_LOCAL):
            return self.address(Target.LINK_LOCAL)
        return self.home_address


SERVED = {False: Mobile(IPv6Address("2001:db8:1::100")), True: Mobile(IPv6Address("2001:db8:1::101"), A | H | L)}
"""Mobile nodes that stay registered, by whether L is set."""
LEAVING = {False: Mobile(IPv6Address("2001:db8:1::200")), True: Mobile(IPv6Address("2001:db8:1::201"), A | H | L)}
"""Mobile nodes whose bindings end."""
WITNESS = Mobile(IPv6Address("2001:db8:1::300"))
"""One that stays registered as well: its answer tells that the home agent has dealt with what was asked before."""
Ask = Callable[[Mobile, Target, Form], Any]


class Neighbour:
    """Asks for addresses, and hears what is answered."""

    def __init__(self, here: Here) -> None:
        self.agent_mac = mac_of(here, "ha")
        self._mac = mac_of(here, "neighbour")
        octets = here["neighbour"].spec.plugs[0].link_layer_address
        self.address = str(address_from(LINK_LOCAL_PREFIX, interface_identifier(octets)))
        self._socket = here["neighbour"].namespace.run(partial(listen, here["neighbour"].spec.plugs[0].interface))

    def ask(self, mobile: Mobile, target: Target, form: Form) -> Any:
        """Ask for an address; give the frame of the answer, or None if the home agent passed it over.

        What is asked next is another address that it answers for: it does so in the order of the questions.
        """
        asked, witness = str(mobile.address(target)), str(WITNESS.home_address)
        self._solicit(asked, str(mobile.group_of(target)), form)
        self._solicit(witness, witness, Form.MULTICAST)
        heard = None
        while (answer := self._hear())[ICMPv6ND_NA].tgt != witness:
            if answer[ICMPv6ND_NA].tgt == asked:
                heard = answer
        return heard

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def _solicit(self, target: str, reached: str, form: Form) -> None:
        if form in (Form.MULTICAST, Form.DAD):
            group = in6_getnsma(socket.inet_pton(socket.AF_INET6, reached))
            to, mac = socket.inet_ntop(socket.AF_INET6, group), in6_getnsmac(group)
        else:
            to, mac = reached, self.agent_mac
        source = "::" if form is Form.DAD else self.address
        frame = Ether(src=self._mac, dst=mac) / IPv6(src=source, dst=to, hlim=255) / ICMPv6ND_NS(tgt=target)
        if form in (Form.MULTICAST, Form.UNICAST):
            frame /= ICMPv6NDOptSrcLLAddr(lladdr=self._mac)
        self._socket.send(bytes(frame))

    def _hear(self) -> Any:
        """Wait for the next Neighbor Advertisement of the home agent that nobody announced by itself."""
        while True:
            frame = Ether(self._socket.recv(2048))
            asked = frame.haslayer(ICMPv6ND_NA) and (frame[ICMPv6ND_NA].S or not frame[ICMPv6ND_NA].O)
            if asked and frame.src == self.agent_mac:
                return frame


def mac_of(here: Here, name: str) -> str:
    """Give the link-layer address of a node on the home link."""
    return here[name].spec.plugs[0].link_layer_address.hex(":")


def listen(interface: str) -> socket.socket:
    """Open a socket for all IPv6 on a link."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
    made.bind((interface, ETH_P_IPV6))
    made.settimeout(WITHIN)
    return made


def update(here: Here, mobile: Mobile, sequence: int, lifetime: int, kind: type[Event]) -> None:
    """Send a Binding Update of a mobile node from where it is, and wait for what the home agent reports of it."""
    care_of, agent, mark = here["away"].spec.address, here["ha"].spec.address, here.mark()
    data = with_alternate(b"".join(n.to_bytes(2, "big") for n in (sequence, mobile.flags, lifetime)), care_of)
    message = mobility(BINDING_UPDATE, data)
    packet = upper(MOBILITY_HEADER, message, source=care_of, destination=agent, home=mobile.home_address)
    send_again(here["away"], packet)

    def answered(record: Record) -> bool:
        return isinstance(record.event, kind) and getattr(record.event, "home_address", None) == mobile.home_address

    assert here.network.context.collector.wait(answered, since=mark, within=WITHIN) is not None


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(HomeLink, settings=Settings(ro=False), captures=False) as network:
        network.start()
        here = Here(network)
        until(lambda: "tentative" not in here.run("neighbour", "ip", "-6", "addr"), "addresses are tested")
        yield here


@pytest.fixture(scope="module")
def neighbour(here: Here) -> Iterator[Neighbour]:
    """Give the neighbour of a home agent with a binding for each mobile node that stays registered."""
    for mobile in (*SERVED.values(), WITNESS):
        update(here, mobile, 1, LIFETIME_UNITS, BindingRegistered)
    made = Neighbour(here)
    yield made
    made.close()


@pytest.fixture(scope="module")
def before(here: Here, neighbour: Neighbour) -> Mapping[tuple[bool, Target, Form], Any]:
    """Give what was answered about mobile nodes while they were registered; they no longer are."""
    for mobile in LEAVING.values():
        update(here, mobile, 1, LIFETIME_UNITS, BindingRegistered)
    questions = product(LEAVING, (Target.HOME_ADDRESS, Target.LINK_LOCAL), Form)
    heard = {(flag, target, form): neighbour.ask(LEAVING[flag], target, form) for flag, target, form in questions}
    for mobile in LEAVING.values():
        update(here, mobile, 2, 0, BindingDeregistered)
    return heard


def numbered(first: int, target: Target, l_set: bool, last: int) -> list[Any]:
    """Give the cases of one target their numbers: three in a row, and that of a Neighbor Solicitation without SLL."""
    numbers = (first, first + 1, first + 2, last)
    return [
        pytest.param(
            l_set,
            target,
            form,
            id=f"L {'set' if l_set else 'clear'}, {form.value}, {target.value}",
            marks=pytest.mark.case(f"HA-{number}"),
        )
        for form, number in zip(Form, numbers, strict=True)
    ]


def judge(neighbour: Neighbour, frame: Any, mobile: Mobile, target: Target, form: Form) -> None:
    """See that an answer is one: to whom, of which address, by whose link-layer address, and of no router."""
    assert frame is not None
    assert frame[IPv6].dst == (ALL_NODES if form is Form.DAD else neighbour.address)
    assert frame[IPv6].hlim == 255
    assert frame[ICMPv6ND_NA].tgt == str(mobile.address(target))
    assert frame[ICMPv6ND_NA].R == 0
    told = frame.haslayer(ICMPv6NDOptDstLLAddr) and frame[ICMPv6NDOptDstLLAddr].lladdr
    # Who asks by unicast knows it already (RFC 4861 §7.2.4).
    assert told == neighbour.agent_mac or (not told and form in (Form.UNICAST, Form.WITHOUT_SLL))


@pytest.mark.rfc6275("10.4.1-a", "10.3.1-h")
@pytest.mark.parametrize(
    ("l_set", "target", "form"),
    [
        *numbered(124, Target.HOME_ADDRESS, False, 136),
        *numbered(127, Target.HOME_ADDRESS, True, 137),
        *numbered(130, Target.LINK_LOCAL, True, 138),
    ],
)
def test_what_is_bound_is_answered_for(neighbour: Neighbour, l_set: bool, target: Target, form: Form) -> None:
    mobile = SERVED[l_set]
    judge(neighbour, neighbour.ask(mobile, target, form), mobile, target, form)


@pytest.mark.rfc6275("10.4.1-a", "10.3.1-h")
@pytest.mark.parametrize(
    ("l_set", "target", "form"),
    [
        *numbered(133, Target.LINK_LOCAL, False, 139),
        *numbered(140, Target.OTHER_GLOBAL, False, 152),
        *numbered(143, Target.OTHER_GLOBAL, True, 153),
        *numbered(146, Target.OTHER_LINK_LOCAL, True, 154),
        *numbered(149, Target.OTHER_LINK_LOCAL, False, 155),
    ],
)
def test_nothing_else_is_answered_for(neighbour: Neighbour, l_set: bool, target: Target, form: Form) -> None:
    assert neighbour.ask(SERVED[l_set], target, form) is None


@pytest.mark.rfc6275("10.3.2-b", "10.4.1-a")
@pytest.mark.parametrize(
    ("l_set", "target", "form"),
    [
        *numbered(156, Target.HOME_ADDRESS, False, 165),
        *numbered(159, Target.HOME_ADDRESS, True, 166),
        *numbered(162, Target.LINK_LOCAL, True, 167),
    ],
)
def test_what_is_bound_no_more_is_not_answered_for(
    neighbour: Neighbour,
    before: Mapping[tuple[bool, Target, Form], Any],
    l_set: bool,
    target: Target,
    form: Form,
) -> None:
    mobile = LEAVING[l_set]
    judge(neighbour, before[l_set, target, form], mobile, target, form)
    assert neighbour.ask(mobile, target, form) is None


@pytest.mark.rfc6275("10.4.2-b")
@pytest.mark.case("HA-169")
def test_what_is_sent_to_a_link_local_address_is_not_tunnelled(here: Here, neighbour: Neighbour) -> None:
    target = SERVED[True].address(Target.LINK_LOCAL)
    before = here.counters("ha").get("tunnelled", 0)
    interface = here["neighbour"].spec.plugs[0].interface
    assert "Address unreachable" in here.run("neighbour", "ping", "-c1", "-W5", f"{target}%{interface}")
    assert here.counters("ha").get("tunnelled", 0) == before


@pytest.mark.rfc6275("10.4.1-a")
def test_what_is_bound_is_answered_for_again_after_the_interface_was_taken_down(
    here: Here, neighbour: Neighbour
) -> None:
    interface, home_address = here["ha"].spec.plugs[0].interface, str(SERVED[False].home_address)
    here.run("ha", "sysctl", "-w", f"net.ipv6.conf.{interface}.keep_addr_on_down=1")
    for state in ("down", "up"):
        here.run("ha", "ip", "link", "set", interface, state)
    here.run("neighbour", "ip", "neighbour", "flush", "all")

    def is_found() -> bool:
        here.run("neighbour", "ping", "-c1", "-W1", home_address)
        return neighbour.agent_mac in here.run("neighbour", "ip", "neighbour", "show", home_address)

    until(is_found, "it is answered for")
