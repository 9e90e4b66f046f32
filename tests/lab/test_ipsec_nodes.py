"""Real nodes whose packets are sealed: a story out, on, home and out again, as the captures tell it (§5.1, §5.5)."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.errors import IpsecReason
from lab.events import PacketDropped, Record, RouteOptimisationStarted
from tests.lab.networks import AGENT, HOME, WITHIN, Here, Neighbourhood, python_in, until

pytestmark = pytest.mark.privileged

HOME_TEST_INIT, HOME_TEST, BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = "1", "3", "5", "6"
PLAIN_INIT = """
import socket
from ipaddress import IPv6Address
from lab.wire.mobility import HomeTestInit
from lab.wire.packet import build, mobility_packet
outlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 41)
outlet.bind(("{care_of}", 0))
message = HomeTestInit(cookie=b"in clear")
outlet.sendto(build(mobility_packet(IPv6Address("{home}"), IPv6Address("{peer}"), message)), ("{agent}", 0))
"""
PLAIN_UPDATE = """
from ipaddress import IPv6Address
from lab.daemon.sockets import Sender
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag
from lab.wire.packet import mobility_packet
message = BindingUpdate(
    sequence=40000,
    flags=BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION,
    lifetime=60,
)
home, care_of, agent = (IPv6Address(text) for text in ("{home}", "{care_of}", "{agent}"))
Sender().send(mobility_packet(care_of, agent, message, home_address=home), None)
"""


class TwoPeers(Neighbourhood):
    """With another correspondent."""

    def declare(self) -> None:
        """Declare what is there, then the other."""
        super().declare()
        self.correspondent("cn2", on=[self.link_specs["cn-core"]])


@dataclass(frozen=True)
class Sealed:
    """A mobility message of a capture: its outer addresses, and its SPI, empty if it is plain."""

    source: str
    destination: str
    spi: str
    icv: str

    @property
    def is_good(self) -> bool:
        return self.icv in ("1", "True")


@dataclass(frozen=True)
class Story:
    """What the captures and the journals tell."""

    folder: Path
    visits: tuple[str, ...]
    """Care-of addresses, in their order."""
    peers: tuple[str, ...]
    records: list[Record]

    def packets(self, link: str, kind: str) -> list[Sealed]:
        """Read the mobility messages of one type on a link, as tshark does with the associations of the run."""
        options = ("esp.enable_encryption_decode:TRUE", "esp.enable_authentication_check:TRUE")
        fields = ("ipv6.src", "ipv6.dst", "esp.spi", "esp.icv_good")
        command = ["tshark", "-n", "-r", str(self.folder / f"{link}.pcapng"), "-Y", f"mip6.mhtype == {kind}"]
        command += [word for option in options for word in ("-o", option)]
        command += ["-T", "fields", "-E", "separator=|", "-E", "occurrence=f"]
        command += [word for field in fields for word in ("-e", field)]
        environment = {**os.environ, "WIRESHARK_CONFIG_DIR": str(self.folder)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
        return [Sealed(*row.split("|")) for row in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("sealed")
    with Network(TwoPeers, directory=folder, seed=7) as network:
        network.start()
        network.wait_settled()
        here = Here(network)
        visits = []
        for link, peer in (("visited1", "cn"), ("visited2", "cn2"), ("home", ""), ("visited1", "cn")):
            began = here.mark()
            if link == "home":
                here.return_home()
                continue
            visits.append(str(here.visit(link)))
            here.run("mn", "ping", "-c1", "-W5", "-I", str(HOME), str(here[peer].spec.address))
            here.wait(RouteOptimisationStarted, node="mn", since=began)
        # Captures are written block by block: what comes later pushes the rest out.
        here.run("mn", "ping", "-c10", "-i0.1", "-W5", "-I", str(HOME), str(here["cn"].spec.address))
        peers = tuple(str(here[peer].spec.address) for peer in ("cn", "cn2"))
        records = network.context.collector.records()
    return Story(folder / "captures", tuple(visits), peers, records)


@pytest.mark.rfc6275("5.1-a", "5.1-c", "15.3-b")
@pytest.mark.case("MN-013", "MN-165", "MN-173", "HA-012", "HA-016")
def test_home_registrations_are_sealed_wherever_the_node_is(story: Story) -> None:
    """By one association all the time: out, on, home and out again."""
    for kind, spi, column in (
        (BINDING_UPDATE, "0x00001001", "source"),
        (BINDING_ACKNOWLEDGEMENT, "0x00001002", "destination"),
    ):
        found = [
            packet
            for link in ("backbone", "home")
            for packet in story.packets(link, kind)
            if str(AGENT) in (packet.source, packet.destination)
        ]
        assert {(packet.spi, packet.is_good) for packet in found} == {(spi, True)}
        first, second, third = story.visits
        assert [getattr(packet, column) for packet in found] == [first, second, third, str(HOME)]


@pytest.mark.rfc6275("5.5-c", "10.4.5-a", "10.4.6-a", "10.4.2-a", "5.1-c", "15.3-b")
@pytest.mark.case("HA-181", "HA-182", "HA-183", "HA-184", "MN-181")
def test_home_tests_are_sealed_in_the_tunnel_which_follows_the_node(story: Story) -> None:
    sealed = [p for p in story.packets("backbone", HOME_TEST_INIT) if p.spi]
    assert {(p.destination, p.spi, p.is_good) for p in sealed} == {(str(AGENT), "0x00001005", True)}
    assert {p.source for p in sealed} == {*story.visits}
    sealed = [p for p in story.packets("backbone", HOME_TEST) if p.spi]
    assert {(p.source, p.spi, p.is_good) for p in sealed} == {(str(AGENT), "0x00001006", True)}
    assert {p.destination for p in sealed} == {*story.visits}
    # Beyond the home agent they go between the home address and the correspondents, as if nothing had been.
    assert {(p.source, p.destination, p.spi) for p in story.packets("cn-core", HOME_TEST_INIT)} == {
        (str(HOME), peer, "") for peer in story.peers
    }
    for link in ("visited1", "visited2"):
        assert all(p.spi for kind in (HOME_TEST_INIT, HOME_TEST) for p in story.packets(link, kind))


@pytest.mark.rfc6275("5.1-a")
def test_registrations_with_correspondents_are_their_own_affair(story: Story) -> None:
    assert {packet.spi for packet in story.packets("cn-core", BINDING_UPDATE)} == {""}


def test_nothing_was_refused(story: Story) -> None:
    reasons = {record.event.reason for record in story.records if isinstance(record.event, PacketDropped)}
    assert not reasons & {*IpsecReason}


# What comes plainly


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(Neighbourhood, settings=Settings(ro=False, ipsec_payload=True), captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


def refused(here: Here, since: float) -> PacketDropped:
    """Wait for the home agent to drop a packet that came plainly."""

    def matches(record: Record) -> bool:
        event = record.event
        return record.node == "ha" and isinstance(event, PacketDropped) and event.reason == "unprotected"

    record = here.network.context.collector.wait(matches, since=since, within=WITHIN)
    assert record is not None
    assert isinstance(record.event, PacketDropped)
    return record.event


@pytest.mark.rfc6275("5.5-c", "10.4.5-a")
@pytest.mark.case("HA-189", "HA-190")
def test_a_home_test_init_in_clear_goes_no_further(here: Here) -> None:
    care_of, peer = here.visit("visited1"), here["cn"].spec.address
    began, before = here.mark(), here.counters("ha").get("detunnelled", 0)
    python_in(here["mn"], PLAIN_INIT.format(care_of=care_of, home=HOME, peer=peer, agent=AGENT))
    event = refused(here, began)
    assert (event.source, event.destination) == (HOME, peer)
    assert here.counters("ha")["unprotected"] == 1
    assert here.counters("ha").get("detunnelled", 0) == before


@pytest.mark.rfc6275("5.1-a", "5.1-c")
@pytest.mark.case("HA-029", "HA-032")
def test_a_plain_binding_update_changes_nothing(here: Here) -> None:
    care_of = here.visit("visited1")
    bindings = here["ha"].control("bindings")[0]
    stranger = here["stranger"].spec.address
    began = here.mark()
    python_in(here["stranger"], PLAIN_UPDATE.format(home=HOME, care_of=stranger, agent=AGENT))
    event = refused(here, began)
    assert (event.source, event.destination, event.detail) == (stranger, AGENT, "Binding Update")
    after = here["ha"].control("bindings")[0]
    assert (after["sequence"], after["care_of_address"]) == (bindings["sequence"], str(care_of))


@pytest.mark.rfc6275("5.5-d", "10.4.2-c", "10.4.2-e")
def test_all_payload_can_be_sealed_and_senders_learn_what_fits(here: Here) -> None:
    here.visit("visited2")
    cn = str(here["cn"].spec.address)
    for node, options, to in (("cn", (), str(HOME)), ("mn", ("-I", str(HOME)), cn)):
        most = ("ping", "-c1", "-W5", "-M", "do", *options, "-s", "1358", to)
        until(lambda: "1 received" in here.run(node, *most), f"1406 octets from {node}")  # noqa: B023
    assert "mtu=1406" in here.run("cn", "ping", "-c1", "-W2", "-s", "1359", "-M", "do", str(HOME))
    plug = next(p for p in here["ar2"].spec.plugs if p.link.name == "visited2")
    here.run("ar2", "ip", "link", "set", plug.interface, "mtu", "1400")
    try:
        until(
            lambda: "mtu=1310" in here.run("cn", "ping", "-c1", "-W1", "-s", "1300", "-M", "do", str(HOME)),
            "Packet Too Big of 1310 octets",
        )
    finally:
        here.run("ar2", "ip", "link", "set", plug.interface, "mtu", "1500")
