"""Exercises are judged by captures: was the attack made, what came of it, which rules did it break (RFC 6275 §15)."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import MIP6MH_BU, IPv6
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapWriter

from lab.emulation import flood_process
from lab.emulation.attacker import BALANCE, Flooding, octets_of
from lab.emulation.exercise import SHOWN, AttackStage, Exercise
from lab.emulation.forgery import correspondent_registration, home_registration, home_test_init, tunnelled
from lab.emulation.scenario import library
from lab.engine.authorization import is_signed
from lab.errors import ScenarioError
from lab.events import PacketDropped, Record, ScenarioStep
from lab.report.model import Attack
from lab.safeguards import NOTHING, Safeguard, Without
from lab.verify.check import Check, Evidence, Verdict
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag, HomeTestInit
from lab.wire.options import AlternateCareOfAddress, NonceIndices
from lab.wire.packet import parse
from topologies.attack_range import AttackRange
from topologies.attack_range_floods import FALSE_HOME, FALSE_SOURCE, FALSE_SOURCES

ATTACKER, AGENT, HOME, PEER = (IPv6Address(f"2001:db8:{end}") for end in ("bad::2", "1::1", "1::100", "c::2"))
CARE_OF = IPv6Address("2001:db8:a1::2")
FIRST = home_registration(HOME, AGENT, ATTACKER, sequence=1, lifetime=60)
SECOND = home_registration(HOME, AGENT, ATTACKER, sequence=2, lifetime=60)
GAIN = IPv6(src=str(AGENT), dst=str(ATTACKER)) / IPv6(src=str(PEER), dst=str(HOME)) / UDP()
BEGIN = 1_795_600_000.0
BROKEN = Check(id="rule", title="a rule", requirements=(), verdict=Verdict.FAILED, detail="")


class Attacker:
    """Sends into nowhere."""

    name, link = "outsider", "outside"

    def __init__(self, *_: object) -> None:
        self.sent: list[bytes] = []

    def send(self, packet: Any) -> None:
        """Do nothing but remember it."""
        self.sent.append(octets_of(packet))


class Range:
    """A stage without a network, and the captures that a run would have left."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._time = BEGIN
        self._frames: dict[str, list[tuple[float, bytes]]] = {"outside": [], "cn-core": []}
        monkeypatch.setattr("lab.emulation.exercise.time.time", lambda: self._time)
        monkeypatch.setattr("lab.emulation.exercise.Attacker", Attacker)

    def stage(self, without: Without = NOTHING, withstood_by: Safeguard | None = Safeguard.ESP) -> AttackStage:
        """Give a stage on which two packets are sent for the sake of one that comes back."""
        context = SimpleNamespace(without=without)
        captures = dict.fromkeys(self._frames, Path("unused"))
        network: Any = SimpleNamespace(context=context, captures=captures, node=str)
        played = Exercise(
            name="exercise/x", topology=AttackRange, body=print, section="15.3", withstood_by=withstood_by
        )
        stage = played.stage(network)
        attacker = stage.attacker("outsider")
        stage.attack(attacker, FIRST, octets_of(SECOND), note="sent")
        stage.succeeds_if("outside", lambda frame: frame.inner is not None, "gained", at_least=2)
        return stage

    def carry(self, link: str, *packets: Any, after: float = 0.001, hops: int = 0) -> None:
        """Have a link carry packets."""
        for packet in packets:
            octets = bytearray(octets_of(packet))
            octets[7] -= hops
            self._time += after
            self._frames[link].append((self._time, bytes(Ether() / b"")[:12] + b"\x86\xdd" + octets))

    def judge(self, stage: AttackStage, checks: Sequence[Check] = (), records: Sequence[Record] = ()) -> Attack:
        """Write the captures and judge."""
        paths = []
        for link, frames in self._frames.items():
            path = self._folder / f"{link}.pcap"
            with RawPcapWriter(str(path), linktype=1) as file:
                file.write_header(None)
                for time, octets in frames:
                    file.write_packet(octets, sec=int(time), usec=int(time % 1 * 1e6))
            paths.append(path)
        attack = stage.judge(paths, checks, records)
        assert attack is not None
        return attack


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Range:
    return Range(tmp_path, monkeypatch)


def test_an_attack_that_fails(played: Range) -> None:
    stage = played.stage()
    played.carry("outside", FIRST, SECOND, GAIN)  # one is not enough
    attack = played.judge(stage)
    assert (attack.attempted, attack.succeeded, attack.expected, attack.as_expected) == (True, False, False, True)
    assert [(e.capture, e.frame, e.note) for e in attack.evidence] == [
        ("outside", 1, "sent"),
        ("outside", 2, "sent"),
        ("outside", 3, "gained"),
    ]


@pytest.mark.parametrize("withstood_by", [Safeguard.ESP, None])
def test_an_attack_that_succeeds(played: Range, withstood_by: Safeguard | None) -> None:
    without = NOTHING if withstood_by is None else frozenset({withstood_by})
    stage = played.stage(without, withstood_by)
    played.carry("outside", FIRST, SECOND, *[GAIN] * 9)
    attack = played.judge(stage)
    assert (attack.attempted, attack.succeeded, attack.expected, attack.as_expected) == (True, True, True, True)
    assert len(attack.evidence) == 2 + SHOWN
    assert attack.protection == withstood_by


def test_what_is_switched_off_must_be_what_withstands_it(played: Range) -> None:
    stage = played.stage(frozenset({Safeguard.STATE_STORE}))
    played.carry("outside", FIRST, SECOND, GAIN, GAIN)
    assert not played.judge(stage).as_expected


@pytest.mark.parametrize("seen", [[], [FIRST]])
def test_an_attack_of_which_something_was_not_seen_was_not_made(played: Range, seen: list[Any]) -> None:
    stage = played.stage(frozenset({Safeguard.ESP}))
    played.carry("outside", *seen, GAIN, GAIN)
    attack = played.judge(stage)
    assert (attack.attempted, attack.succeeded, attack.as_expected) == (False, False, False)


def test_what_was_there_before_is_neither_attack_nor_gain(played: Range) -> None:
    """The packet that is played back later, say, and the tunnel of an earlier time."""
    played.carry("outside", FIRST, SECOND, GAIN, GAIN)
    played.carry("outside", SECOND, after=1.0)
    stage = played.stage(frozenset({Safeguard.ESP}))
    assert not played.judge(stage).attempted
    played.carry("outside", FIRST, SECOND)
    assert played.judge(stage).evidence[0].frame == 6
    assert not played.judge(stage).succeeded
    played.carry("cn-core", GAIN, GAIN)  # not where it is wanted
    assert not played.judge(stage).succeeded
    played.carry("outside", GAIN, GAIN)
    assert played.judge(stage).succeeded


def test_rules_that_catch_it(played: Range) -> None:
    """Where it must fail, a rule that something else broke is no part of it; on its way the attack is still itself."""
    stage = played.stage()
    played.carry("outside", FIRST, SECOND, GAIN)
    played.carry("cn-core", FIRST, hops=1)
    own = replace(
        BROKEN, id="own", evidence=(Evidence(capture="outside", frame=1), Evidence(capture="cn-core", frame=1))
    )
    other = replace(own, id="other", evidence=(*own.evidence, Evidence(capture="outside", frame=3)))
    holds = replace(own, id="holds", verdict=Verdict.PASSED)
    assert played.judge(stage, [own, other, holds]).caught_by == ["own"]
    assert played.judge(played.stage(frozenset({Safeguard.ESP})), [own, other, holds]).caught_by == ["own", "other"]


def test_what_an_attacker_asked_for_is_his_own_too(played: Range) -> None:
    stage = played.stage()
    stage.attacker("outsider").send(GAIN)
    played.carry("outside", FIRST, SECOND, GAIN)
    asked = replace(BROKEN, id="asked", evidence=(Evidence(capture="outside", frame=3),))
    assert played.judge(stage, [asked]).caught_by == ["asked"]


def test_a_rule_without_evidence_is_no_part_of_it(played: Range) -> None:
    stage = played.stage()
    played.carry("outside", FIRST, SECOND)
    assert played.judge(stage, [BROKEN]).caught_by == []


def test_what_nodes_said_of_it(played: Range) -> None:
    stage = played.stage()
    played.carry("outside", FIRST, SECOND)
    dropped = PacketDropped(reason="unprotected", detail="Binding Update")
    told = [
        Record(time=BEGIN - 1, node="ha", event=dropped),
        Record(time=BEGIN + 1, node="lab", event=ScenarioStep(text="not of a node")),
        *[Record(time=BEGIN + 2, node="ha", event=dropped)] * (SHOWN + 1),
    ]
    assert played.judge(stage, records=told).events == ["ha: drops a packet: unprotected Binding Update"] * SHOWN


def test_a_link_that_there_is_not(played: Range) -> None:
    with pytest.raises(ScenarioError, match="no link nowhere; links: outside, cn-core"):
        played.stage().succeeds_if("nowhere", bool, "")


def test_an_exercise_is_declared_as_scenarios_are(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from lab.emulation.exercise import exercise\n"
        "from lab.safeguards import Safeguard\n"
        "from topologies.attack_range import AttackRange\n"
        "@exercise(AttackRange, '15.3', Safeguard.ESP, ro=False)\n"
        "def my_attack(stage):\n"
        "    'Somebody does something.'\n",
        encoding="utf-8",
    )
    (mine,) = library(file).scenarios.values()
    assert isinstance(mine, Exercise)
    assert (mine.name, mine.summary, mine.section) == ("exercise/my-attack", "Somebody does something.", "15.3")
    assert not mine.settings.ro
    assert [mine.succeeds(without) for without in (NOTHING, frozenset({Safeguard.ESP}))] == [False, True]


# What Scapy makes is what our own codec reads


@pytest.mark.rfc6275("11.7.1-a", "6.3-a")
def test_a_forged_home_registration() -> None:
    packet = parse(bytes(FIRST))
    assert (packet.source, packet.destination, packet.home_address) == (ATTACKER, AGENT, HOME)
    flags = BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
    options = (AlternateCareOfAddress(address=ATTACKER),)
    assert packet.payload == BindingUpdate(sequence=1, flags=flags, lifetime=60, options=options)


@pytest.mark.rfc6275("5.2.6-b", "6.2.1-a", "6.2.6-a")
@pytest.mark.parametrize(
    ("care_of", "source", "lifetime"), [(CARE_OF, None, 420), (CARE_OF, HOME, 420), (HOME, CARE_OF, 0)]
)
def test_a_forged_correspondent_registration(care_of: IPv6Address, source: IPv6Address | None, lifetime: int) -> None:
    key = bytes(20)
    made = correspondent_registration(
        HOME, PEER, care_of, key=key, indices=(7, 8), sequence=9, lifetime=lifetime, source=source
    )
    packet = parse(bytes(made))
    assert isinstance(packet.payload, BindingUpdate)
    assert (packet.source, packet.home_address or packet.source) == (source or care_of, HOME)
    assert (packet.payload.sequence, packet.payload.lifetime) == (9, lifetime)
    assert NonceIndices(home=7, care_of=8) in packet.payload.options
    told = [option.address for option in packet.payload.options if isinstance(option, AlternateCareOfAddress)]
    assert told == ([] if source is None else [care_of])
    assert is_signed(packet, key, care_of, PEER)
    assert not is_signed(packet, bytes(19) + b"x", care_of, PEER)


def test_a_forged_test_init_in_a_tunnel() -> None:
    packet = parse(bytes(tunnelled(ATTACKER, AGENT, home_test_init(HOME, PEER, b"a cookie"))))
    assert (packet.source, packet.destination) == (ATTACKER, AGENT)
    inner = packet.payload
    assert (inner.source, inner.payload) == (HOME, HomeTestInit(cookie=b"a cookie"))  # type: ignore[union-attr]


# Attacks that are more, or less, than some packets


def test_an_attack_that_sends_nothing(played: Range) -> None:
    """To listen is an attack where there is something to be heard."""
    stage = played.stage(frozenset({Safeguard.ESP}))
    stage.attempted_if("cn-core", lambda frame: frame.destination == AGENT, "heard", at_least=2)
    played.carry("outside", FIRST, SECOND, GAIN, GAIN)
    played.carry("cn-core", FIRST)
    assert not played.judge(stage).attempted
    played.carry("cn-core", SECOND)
    attack = played.judge(stage)
    assert (attack.attempted, attack.succeeded) == (True, True)
    assert ("cn-core", 1, "heard") in [(e.capture, e.frame, e.note) for e in attack.evidence]


@pytest.mark.parametrize("enough", [True, False])
def test_what_no_packet_shows(played: Range, monkeypatch: pytest.MonkeyPatch, enough: bool) -> None:
    said: list[str] = []
    stage = played.stage(frozenset({Safeguard.ESP}))
    monkeypatch.setattr(stage, "say", said.append)
    stage.succeeds_by("2 MiB of memory", succeeded=enough)
    played.carry("outside", FIRST, SECOND, GAIN, GAIN)
    attack = played.judge(stage)
    assert (attack.succeeded, attack.events, said) == (enough, ["2 MiB of memory"], ["2 MiB of memory"])


@pytest.mark.rfc6275("5.2.6-b", "6.1.3-a")
@pytest.mark.parametrize(
    "packet",
    [
        home_test_init(FALSE_SOURCE, PEER, BALANCE),
        correspondent_registration(FALSE_HOME, PEER, FALSE_SOURCE, key=b"", indices=(1, 1), sequence=1),
    ],
    ids=["Home Test Init", "Binding Update"],
)
def test_packets_of_a_flood_are_whole_and_each_is_of_another(packet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    if MIP6MH_BU in packet:
        packet[MIP6MH_BU].options[-1].authenticator = int.from_bytes(BALANCE + bytes(4), "big")
    flooding = Flooding.of(bytes(Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / packet))
    monkeypatch.setattr("lab.emulation.flood_process.socket.socket", lambda *_: Outlet(sent))
    words = ("eth0", "50", "1e9", "1", flooding.frame.hex(), flooding.varied, str(flooding.balanced))
    flood_process.main(*words)
    read = [parse(octets[14:]) for octets in sent]  # which looks at the checksum
    assert len(read) == len({arrived.source for arrived in read}) == 50
    assert all(arrived.source in FALSE_SOURCES for arrived in read)
    homes = [arrived.home_address or arrived.source for arrived in read]
    assert [home.packed[8:] for home in homes] == [arrived.source.packed[8:] for arrived in read]


class Outlet:
    """A packet socket of which nothing goes out."""

    def __init__(self, sent: list[bytes]) -> None:
        self._sent = sent

    def __enter__(self) -> "Outlet":
        return self

    def __exit__(self, *_: object) -> None:
        """Close nothing."""

    def bind(self, address: tuple[str, int]) -> None:
        """Take an interface."""
        assert address == ("eth0", 0)

    def send(self, octets: bytearray) -> None:
        """Keep a frame."""
        self._sent.append(bytes(octets))
