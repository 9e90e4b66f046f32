"""Captures of running labs, found and followed by another process."""

import shutil
import threading
from pathlib import Path

import pytest

from lab.emulation import leftovers, live_capture
from lab.errors import MissingError


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the folder of a network of this process, with captures of two links."""
    monkeypatch.setattr(leftovers, "ROOT", tmp_path / "run")
    folder = leftovers.make_folder()
    kept = tmp_path / "kept"
    kept.mkdir()
    (folder / live_capture.CAPTURES).symlink_to(kept)
    for link in ("home", "away"):
        (kept / f"{link}.pcapng").write_bytes(b"begins")
    return folder


def test_a_link_is_found(network: Path) -> None:
    assert live_capture.find("home") == network / "captures" / "home.pcapng"


def test_a_link_that_no_lab_has_is_told(network: Path) -> None:
    with pytest.raises(MissingError, match="no running lab has a link core; links: away, home"):
        live_capture.find("core")


def test_labs_that_are_gone_are_not_found(network: Path) -> None:
    network.parent.rename(network.parent.with_name("1-1"))  # a runner that is not that one
    with pytest.raises(MissingError, match="no lab runs in this kernel: mip6lab up"):
        live_capture.find("home")


def append(file: Path, octets: bytes) -> None:
    with file.open("ab") as growing:
        growing.write(octets)


def test_a_capture_is_followed_to_the_end_of_its_lab(network: Path) -> None:
    capture = network / "captures" / "home.pcapng"
    file = capture.resolve()
    octets, came = bytearray(), threading.Condition()

    def take(more: bytes) -> None:
        with came:
            octets.extend(more)
            came.notify()

    def has_come(expected: bytes) -> bool:
        with came:
            return came.wait_for(lambda: bytes(octets) == expected, timeout=30)

    follower = threading.Thread(target=live_capture.follow, args=(capture, take))
    follower.start()
    assert has_come(b"begins")
    append(file, b", goes on")
    assert has_come(b"begins, goes on")
    append(file, b", ends")
    shutil.rmtree(network)
    follower.join(timeout=30)
    assert not follower.is_alive()
    assert bytes(octets) == b"begins, goes on, ends"
