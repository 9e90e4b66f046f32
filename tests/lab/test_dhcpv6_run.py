"""The scenario of DHCPv6 as a user calls it, and what is in its captures."""

import select
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.daemon.sockets import Dhcpv6Receiver
from lab.emulation.dhcpv6_client import Dhcpv6Client
from lab.emulation.namespace import Namespace
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.errors import PlaneError, ScenarioError
from lab.events import Dhcpv6Forwarded
from lab.plane.user import DEVICE
from lab.report.model import load
from lab.verify.check import Verdict
from lab.verify.trace import read
from lab.wire.packet import Datagram, Packet
from tests.lab.networks import ROOT, Here, run_in, until
from topologies.dhcpv6 import Dhcpv6AtHome

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        shutil.which("dnsmasq", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/bin") is None,
        reason="dnsmasq is not installed: apt install dnsmasq-base",
    ),
]
UDP = 17


@pytest.mark.rfc6275("10.4.4-a", "5.5-d")
@pytest.mark.parametrize(
    ("options", "readable"),
    [(["--plane", "user"], True), ([], True), (["--set", "ipsec_payload=on"], False)],
    ids=["user", "auto", "in-esp"],
)
def test_it_is_played_and_verified(tmp_path: Path, options: list[str], readable: bool) -> None:
    command = [sys.executable, "-m", "lab.cli.main", "run", "dhcpv6", "--out", str(tmp_path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    result = load(tmp_path)
    verdicts = {check.id: check.verdict for check in result.checks}
    assert verdicts["dhcpv6-relayed"] == verdicts["dhcpv6-answered"] == Verdict.PASSED
    # On a visited link nothing of it is seen but in the tunnel: four questions and four answers.
    frames = read([tmp_path / result.captures[link] for link in ("visited1", "visited2")])
    assert not [frame for frame in frames if frame.upper == UDP]
    in_tunnels = [frame for frame in frames if frame.innermost.upper == UDP]
    assert len(in_tunnels) >= 8 if readable else not in_tunnels


class NobodyRelays(Dhcpv6AtHome):
    """The same, but for the home agent, which relays nothing."""

    def declare(self) -> None:
        """Declare the others."""
        super().declare()
        del self.node_specs["ha"].options["dhcpv6_servers"]


@pytest.mark.rfc6275("10.4.4-a")
def test_without_a_relay_agent_no_answer_comes() -> None:
    with Network(NobodyRelays, settings=Settings(ro=False), captures=False) as network:
        network.start()
        network.wait_settled()
        here = Here(network)
        here.visit("visited1")
        client = Dhcpv6Client(here["mn"], DEVICE)
        with pytest.raises(ScenarioError, match="mn, mip0: nobody answers"):
            client.inform()
        client.close()
        assert here.counters("ha")["unknown-inner-source"] >= 1
        assert not [r for r in network.context.collector.records() if isinstance(r.event, Dhcpv6Forwarded)]


def test_a_relay_agent_listens_where_nobody_else_does() -> None:
    here = IPv6Address("::1")
    namespace = Namespace()
    namespace.netlink.set_link(1, up=True)
    with closing(namespace), closing(namespace.run(lambda: Dhcpv6Receiver(here))) as receiver:
        with pytest.raises(PlaneError, match="listen to DHCPv6 at ::1, port 547: Address already in use"):
            namespace.run(lambda: Dhcpv6Receiver(here))
        assert receiver.receive() is None
        with namespace.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as outlet:
            outlet.bind(("::1", 546))
            outlet.sendto(b"words", ("::1", 547))
        assert select.select([receiver], [], [], 10.0)[0]
        received = namespace.run(receiver.receive)
        payload = Datagram(source_port=546, destination_port=547, data=b"words")
        assert received == (Packet(source=here, destination=here, payload=payload), "lo")


SPEAK = """
import socket
outlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
outlet.sendto(bytes.fromhex("{octets}"), ("2001:db8:1::1", 547))
"""


@pytest.mark.rfc6275("10.4.4-a")
def test_what_others_say_to_the_relay_agent_goes_nowhere() -> None:
    with Network(Dhcpv6AtHome, settings=Settings(ro=False), captures=False) as network:
        network.start()
        network.wait_settled()
        here = Here(network)
        here.visit("visited1")
        for octets, reason in (("0d00" + "00" * 32, "unexpected-dhcpv6"), ("0d", "malformed-dhcpv6")):
            run_in(here["cn"].namespace, sys.executable, "-c", SPEAK.format(octets=octets))
            until(partial(_dropped, here, reason), reason)


def _dropped(here: Here, reason: str) -> bool:
    return reason in here["ha"].control("counters")["drops"]
