"""Mobile prefix discovery as it runs: real daemons in namespaces, and the scenario that renumbers the home network."""

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest

from lab.daemon.sockets import Sender
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.spec import PrefixSpec
from lab.events import HomePrefixesChanged, PacketDropped, PrefixesAdvertised, PrefixesLearned, PrefixesSolicited
from lab.report.model import load
from lab.wire.icmpv6 import MobilePrefixAdvertisement
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import mobility_packet
from tests.lab.networks import AGENT, HOME, ROOT, Here, until
from topologies.renumbering import Renumbering

pytestmark = pytest.mark.privileged

OLD, NEW = IPv6Network("2001:db8:1::/64"), IPv6Network("2001:db8:9::/64")


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    """Give a network whose mobile node is away."""
    with Network(Renumbering, settings=Settings(ro=False), captures=False) as network:
        network.start()
        network.wait_settled()
        running = Here(network)
        running.visit("visited1")
        yield running


@pytest.mark.rfc6275("10.6.1-a", "10.6.2-a", "10.6.3-a", "11.4.2-a", "11.4.3-a")
def test_a_new_prefix_is_told_asked_for_and_learned(here: Here) -> None:
    began = here.mark()
    here.network.renumber("home", PrefixSpec(network=OLD), PrefixSpec(network=NEW))
    here.wait(HomePrefixesChanged, node="ha", since=began)
    asked = here.wait(PrefixesSolicited, node="mn", since=began)  # by a Home Address option in front
    told = here.wait(PrefixesAdvertised, node="ha", since=asked.time)  # by a routing header in front
    assert isinstance(told.event, PrefixesAdvertised)
    assert told.event.solicited
    learned = here.wait(PrefixesLearned, node="mn", since=asked.time)
    assert isinstance(learned.event, PrefixesLearned)
    assert [entry.split()[0] for entry in learned.event.prefixes.split(", ")] == [str(OLD), str(NEW)]
    assert "valid 4294967295" not in learned.event.prefixes  # the home agent hears its own advertisements


@pytest.mark.rfc6275("10.6.1-a")
def test_a_renumbered_link_can_be_reached_by_its_new_prefix(here: Here) -> None:
    new_agent = IPv6Address(int(NEW.network_address) | int(AGENT) & int(NEW.hostmask))
    until(lambda: "1 received" in here.run("cn", "ping", "-c1", "-W1", str(new_agent)), "a way to the new prefix")


@pytest.mark.rfc6275("15.6-a", "11.4.3-a")
def test_a_forged_advertisement_is_refused(here: Here) -> None:
    care_of, began = here.visit("visited1"), here.mark()
    option = PrefixInformation(prefix=OLD.network_address, prefix_length=64, valid_lifetime=8, preferred_lifetime=8)
    message = MobilePrefixAdvertisement(identifier=1, options=(option,))
    forged = mobility_packet(here["cn"].spec.address, care_of, message, routed_home_address=HOME)
    sender = here["cn"].namespace.run(Sender)
    here["cn"].namespace.run(lambda: sender.send(forged, None))
    sender.close()
    dropped = here.wait(PacketDropped, node="mn", since=began)
    assert isinstance(dropped.event, PacketDropped)
    assert dropped.event.reason == "unexpected-prefix-advertisement"
    assert dropped.event.source == here["cn"].spec.address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play the scenario once for all tests of this file."""
    directory = tmp_path_factory.mktemp("renumbering") / "result"
    command = (sys.executable, "-m", "lab.cli.main", "run", "renumbering", "--json", "--out", str(directory))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert json.loads(done.stdout)["ok"]
    return directory


@pytest.mark.rfc6275("10.3.1-e", "10.6.2-a", "10.6.3-a", "10.6.4-a", "11.4.2-a", "11.4.3-a", "6.5-a")
def test_every_check_holds_when_the_home_network_is_renumbered(folder: Path) -> None:
    result = load(folder)
    assert not result.failed()
    passed = {check.id for check in result.checks if check.verdict == "passed"}
    assert passed >= {
        "prefix-solicitation",
        "prefix-advertisement",
        "prefix-identifier",
        "prefix-advertisement-repeated",
        "binding-within-prefix",
        "ba-prefix-status",
    }


def test_nothing_of_it_is_malformed(folder: Path) -> None:
    captures = folder / "captures"
    keys = [word for line in (captures / "esp_sa").read_text().splitlines() for word in ("-o", f"uat:esp_sa:{line}")]
    command = ["tshark", "-n", "-o", "esp.enable_encryption_decode:TRUE", *keys]
    command += ["-r", str(captures / "visited1.pcapng"), "-T", "fields", "-e", "frame.number", "-Y"]
    shown = [
        subprocess.run([*command, what], capture_output=True, text=True, check=True, timeout=60).stdout.split()
        for what in ("_ws.malformed && icmpv6", "icmpv6.type == 146", "icmpv6.type == 147")
    ]
    assert shown[0] == []
    assert shown[1]
    assert shown[2]
