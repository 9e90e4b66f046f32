"""What the host hears of a guest in virtual time, without one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.emulation import virtual_guest
from lab.emulation.guest import Job
from lab.emulation.virtual_guest import VirtualGuest
from lab.errors import GuestError


class _Process:
    """A kernel that runs, or that has ended."""

    def __init__(self, status: int | None) -> None:
        self._status = status

    def poll(self) -> int | None:
        return self._status


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[bytes]]]:
    """Give the status of a command and what is shown, by what its guest writes."""

    def hear(said: str, out: str = "", ended: int | None = None) -> tuple[int, list[bytes]]:
        def boot(guest: Any, *_: object, **__: object) -> None:
            (guest._folder / "said").write_text(said, encoding="utf-8")
            (guest._folder / "out").write_text(out, encoding="utf-8")

        monkeypatch.setattr(VirtualGuest, "_boot", boot)
        shown: list[bytes] = []
        guest = VirtualGuest(Job(command=["true"]), Path("kernel"), seed=1)
        try:
            guest._process = _Process(ended)  # type: ignore[assignment] # nothing of it but this is looked at
            return guest.wait(shown.append), shown
        finally:
            guest._process = None
            guest.close()

    return hear


def test_what_is_shown_and_the_status(heard: Callable[..., tuple[int, list[bytes]]]) -> None:
    assert heard("alive\nstatus 3\n", "one\ntwo\n") == (3, [b"one\n", b"two\n"])


def test_what_is_said_behind_the_status_does_not_count(heard: Callable[..., tuple[int, list[bytes]]]) -> None:
    """Time flies on until the host ends the guest."""
    assert heard("status 0\nalive\nlate\n") == (0, [])


def test_a_command_that_is_late(heard: Callable[..., tuple[int, list[bytes]]]) -> None:
    with pytest.raises(GuestError, match=r"did not end within 14400 s of virtual time"):
        heard("alive\nlate\nstatus 0\n")


def test_a_kernel_that_ends_before_its_command(
    heard: Callable[..., tuple[int, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VirtualGuest, "_last_words", lambda _: "")
    with pytest.raises(GuestError, match="ended before its command did"):
        heard("ali", ended=1)


def test_a_guest_in_which_time_stands_still(
    heard: Callable[..., tuple[int, list[bytes]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_guest, "SILENCE", 0.0)
    with pytest.raises(GuestError, match="virtual time stood still"):
        heard("")
