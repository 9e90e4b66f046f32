"""Which kernel is taken, and what is said of it."""

import os

import pytest

from lab.emulation import guest, kernels
from lab.emulation.kernels import Choice, KernelName, choose
from lab.errors import MissingError


def machine(
    monkeypatch: pytest.MonkeyPatch, *, root: bool, lacks: str | None = None, guest_lacks: str | None = None
) -> None:
    """Have a machine of which this is said."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(kernels, "missing", lambda *, netem: lacks if lacks != "netem" or netem else None)
    monkeypatch.setattr(guest, "obstacle", lambda: guest_lacks)


def test_root_of_a_machine_that_will_do_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True)
    assert str(choose(KernelName.AUTO, netem=True)) == "kernel host: it can do all that is needed"


def test_netem_counts_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True, lacks="netem")
    assert choose(KernelName.AUTO, netem=False).name is KernelName.HOST
    choice = choose(KernelName.AUTO, netem=True)
    assert choice == Choice(name=KernelName.GUEST, reason="netem, and the guest needs no rights")


def test_who_is_not_root_takes_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=False)
    choice = choose(KernelName.AUTO, netem=False)
    assert choice == Choice(name=KernelName.GUEST, reason="you are not root, and the guest needs no rights")


def test_where_nothing_will_do_both_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=False, guest_lacks="install it")
    with pytest.raises(MissingError, match=r"you are not root .*; nor a guest: install it"):
        choose(KernelName.AUTO, netem=False)
    with pytest.raises(MissingError, match="--kernel guest: install it"):
        choose(KernelName.GUEST, netem=False)


@pytest.mark.parametrize("wanted", [KernelName.HOST, KernelName.GUEST])
def test_what_is_asked_for_is_taken(wanted: KernelName, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True, lacks="everything")
    assert choose(wanted, netem=True) == Choice(name=wanted, reason="as it was asked for")


@pytest.mark.privileged
def test_a_machine_that_tests_run_on_lacks_nothing() -> None:
    assert kernels.missing(netem=False) is None
