"""ESP in captures: who forged what, whose keys are missing, and what Wireshark makes of it."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from scapy.layers import inet6

from lab.cli.main import FAILED, main
from lab.emulation.playback import first_registration
from lab.verify import CaptureError, Check, Verdict, verify
from lab.verify.esp import read_associations, tables_beside
from lab.verify.frame import Frame
from lab.verify.session import Session
from lab.verify.trace import first_sightings, read
from tests.docs.markdown import document
from tests.verify import correspondence, handover, prefixes, protected
from tests.verify.doctor import DOCTORINGS
from tests.verify.doctor_protection import FROM_FORGER, LATE, OTHER_HOME_ADDRESS, forged
from tests.verify.handover import CARE_OF_1, CARE_OF_2, HOME_ADDRESS, HOME_AGENT
from tests.verify.protected import registers
from tests.verify.story import Story
from tests.verify.test_trace import write_pcap

Vary = Callable[[Story], object]
RESULTS = document("docs/results.md")
FIELDS = ("frame.number", "esp.spi", "esp.sequence", "esp.icv_good", "mip6.mhtype")


@pytest.fixture
def story(good: Story) -> Story:
    """Give the good story in ESP."""
    return protected.protected(good)


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED}


def opened(captures: list[Path]) -> list[Frame]:
    return read(captures, read_associations(tables_beside(captures)))


def forged_in_the_clear(story: Story) -> None:
    # The home agent drops it.
    story.add("forged-update", 5.0, forged(), *FROM_FORGER)


def forged_with_a_wrong_icv(story: Story) -> None:
    sealed = bytes(registers().seal(forged(), 3))
    story.add("forged-update", 5.0, inet6.IPv6(sealed[:-1] + bytes((sealed[-1] ^ 1,))), *FROM_FORGER)


def home_test_init_forged_in_the_clear(story: Story) -> None:
    init = correspondence.home_test_init(b"forged!!", peer="2001:db8:c::9")
    story.add("forged-init", 5.0, handover.tunnelled(CARE_OF_1, HOME_AGENT, init), *FROM_FORGER)


def binding_update_played_back(story: Story) -> None:
    story.add("replay", 5.0, story.sent["bu-1"].packet, FROM_FORGER[1])


def mobile_node_counts_anew(story: Story) -> None:
    # It was started again, with the same keys.
    plain = {f"bu-{number + 3}": handover.binding_update(number, CARE_OF_2) for number in range(3)}
    plain |= {"mps-2": prefixes.solicitation(prefixes.SECOND, CARE_OF_2), "bu-6": handover.deregistration(3)}
    for number, (name, packet) in enumerate(plain.items(), start=1):
        story.replace(name, registers().seal(packet, number))


def esp_between_others(story: Story) -> None:
    other = protected.Association(OTHER_HOME_ADDRESS, tunnel=False, outgoing=True)
    packet = other.seal(handover.data(handover.CORRESPONDENT, HOME_ADDRESS, 96), 1)
    story.add("other-esp", LATE, packet, *handover.TO_HOME_LINK)


@pytest.mark.parametrize(
    "vary",
    [
        forged_in_the_clear,
        forged_with_a_wrong_icv,
        home_test_init_forged_in_the_clear,
        binding_update_played_back,
        mobile_node_counts_anew,
        esp_between_others,
    ],
)
def test_nobody_is_blamed(vary: Vary, story: Story, tmp_path: Path) -> None:
    vary(story)
    checks = verify(story.write(tmp_path))
    assert failed(checks) == {}
    assert {check.id for check in checks if check.verdict is Verdict.NOT_APPLICABLE} == set()


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("esp-registration", marks=pytest.mark.rfc6275("5.1-a")),
        pytest.param("esp-accepted", marks=pytest.mark.rfc6275("5.1-a", "5.1-b")),
        pytest.param("esp-home-address", marks=pytest.mark.rfc6275("5.1-b")),
        pytest.param("esp-care-of-address", marks=pytest.mark.rfc6275("5.1-c")),
        pytest.param("esp-sequence", marks=pytest.mark.rfc6275("5.1-a")),
        pytest.param("esp-prefix", marks=pytest.mark.rfc6275("5.4-a")),
        pytest.param("esp-home-test", marks=pytest.mark.rfc6275("5.5-c", "10.4.6-a")),
    ],
)
def test_protection_is_seen_and_missed(rule: str, story: Story, tmp_path: Path) -> None:
    assert {check.verdict for check in verify(story.write(tmp_path)) if check.id == rule} == {Verdict.PASSED}
    spoils = [each.spoil for each in DOCTORINGS if each.rule == rule]
    for spoil in spoils:
        spoilt = story.copy()
        spoil(spoilt)
        assert rule in failed(verify(spoilt.write(tmp_path)))
    assert spoils


@pytest.mark.rfc6275("5.1-a", "5.4-a")
def test_plain_signalling_fails_where_there_are_keys(good: Story, story: Story, tmp_path: Path) -> None:
    plain = replace(good, table=story.table)
    wrong = failed(verify(plain.write(tmp_path)))
    # What was registered without ESP is not registered: no routing header has to lead there.
    assert wrong.keys() == {"esp-registration", "esp-accepted", "esp-prefix", "routing-header"}


def test_without_keys_nothing_is_said_of_protection(story: Story, tmp_path: Path) -> None:
    story.table.clear()
    checks = verify(story.write(tmp_path))
    assert failed(checks) == {}
    assert {check.verdict for check in checks if check.id in protected.RULES} == {Verdict.NOT_APPLICABLE}


def test_only_what_there_are_keys_for_is_opened(story: Story, tmp_path: Path) -> None:
    story.table = [protected.Association(HOME_ADDRESS, tunnel=True, outgoing=True).line]
    frames = opened(story.write(tmp_path))
    assert {frame.innermost.message_type for frame in frames if frame.protection is not None} == {1}


def test_a_protected_packet_is_as_if_it_had_come_plain(good: Story, story: Story, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    plain = read(good.write(tmp_path / "plain"))
    frames = opened(story.write(tmp_path))
    assert [frame.octets for frame in frames] == [frame.octets for frame in plain]
    assert len(first_sightings(frames)) == len(first_sightings(plain))
    (first,) = {frame.protection.association.spi for frame in frames if frame.protection and frame.message_type == 5}
    assert first == registers().spi


def test_payload_in_esp_is_judged_as_well(good: Story, tmp_path: Path) -> None:
    everything = protected.protected(good, payload=True)
    assert failed(verify(everything.write(tmp_path))) == {}
    plain = good.copy()
    astray = plain.replace("tunnel-2", handover.tunnelled(HOME_AGENT, CARE_OF_1, plain.sent["data-2"].packet))
    checks = verify(protected.protected(plain, payload=True).write(tmp_path))
    (check,) = [check for check in checks if check.verdict is Verdict.FAILED]
    assert check.id == "tunnel-current"
    assert {(seen.capture, seen.frame) for seen in check.evidence} <= plain.places(astray)


def test_esp_that_was_cut_short_is_refused_if_its_keys_are_there(story: Story, tmp_path: Path) -> None:
    table = read_associations(tables_beside(story.write(tmp_path)))
    path = write_pcap(tmp_path / "visited1.pcap", story.frames("visited1"), snapshot=150)
    with pytest.raises(CaptureError, match="frame 5: only 150 of"):
        read([path], table)
    others = [replace(association, spi=association.spi + 0x1000) for association in table]
    assert [frame.closed_spi for frame in read([path], others)].count(registers().spi) > 1


def test_a_protected_registration_is_played_back_as_it_was_captured(story: Story, tmp_path: Path) -> None:
    captures = {path.stem: path for path in story.write(tmp_path)}
    expected = bytes(story.sent["bu-1"].packet)
    assert first_registration(captures["visited1"], IPv6Address(HOME_ADDRESS)) == expected


def test_only_the_registrations_in_their_own_esp_count(story: Story, tmp_path: Path) -> None:
    forged_in_the_clear(story)
    story.add("insider", LATE, registers().seal(forged(OTHER_HOME_ADDRESS), 9), *FROM_FORGER)
    captures = story.write(tmp_path)
    table = read_associations(tables_beside(captures))
    session = Session(frames=read(captures, table), associations=table)
    assert [update.sequence for update in session.updates] == [0xFFFE, 0xFFFF, 0, 1, 2, 3]
    assert [update.sequence for update in session.unprotected] == [9, 9]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_wireshark_decrypts_the_same_by_the_same_table(story: Story, tmp_path: Path) -> None:
    captures = story.write(tmp_path)
    (visited1,) = [path for path in captures if path.stem == "visited1"]
    command = ["tshark", "-n", "-r", str(visited1), "-Y", "esp", "-T", "fields"]
    command += [word for name in FIELDS for word in ("-e", name)]
    command += ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    command += [word for line in story.table for word in ("-o", f"uat:esp_sa:{line}")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert told == [
        [
            str(frame.number),
            f"0x{frame.protection.association.spi:08x}",
            str(frame.protection.sequence),
            "1",
            str(frame.innermost.message_type) if frame.innermost.upper == 135 else "",
        ]
        for frame in opened([visited1])
        if frame.protection is not None
    ]
    assert {kind for *_, kind in told} == {"1", "3", "5", "6", ""}


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_the_way_to_read_esp_that_results_md_shows(story: Story, tmp_path: Path) -> None:
    captures = tmp_path / "results" / "handover" / "captures"
    captures.mkdir(parents=True)
    paths = story.write(captures)
    done = subprocess.run(
        RESULTS.block("sh", "ESP"), shell=True, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    updates = [frame for frame in opened(paths) if (frame.link, frame.message_type) == ("visited1", 5)]
    assert done.stdout.count("Binding Update") == len(updates)


def test_the_line_that_results_md_shows_is_read(tmp_path: Path) -> None:
    (tmp_path / "esp_sa").write_text(RESULTS.block("csv", "ESP"))
    (association,) = read_associations([tmp_path / "esp_sa"])
    assert association.spi == 0x1001


def test_the_command_takes_a_table_from_elsewhere(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    story.write(captures)
    table = (captures / "esp_sa").rename(tmp_path / "keys")
    assert main(["verify", str(captures), "--json", "--esp-sa", str(table)]) == 0
    told = {check["id"]: check["verdict"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert {told[rule] for rule in protected.RULES} == {"passed"}
    table.write_text("nonsense\n")
    assert main(["verify", str(captures), "--esp-sa", str(table)]) == FAILED
    assert f"{table}: line 1: 1 columns, not 8" in capsys.readouterr().err
