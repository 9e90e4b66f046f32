"""Which kernel is taken, and what is said of it."""

import os
from collections.abc import Iterable

import pytest

from lab.daemon.config import PlaneName
from lab.emulation import guest, kernels
from lab.emulation.kernels import Choice, KernelName, choose, needs
from lab.emulation.probes import Probe
from lab.errors import MissingError

LITTLE, ALL = needs([], netem=False), needs([PlaneName.BPF, PlaneName.KERNEL], netem=True)


def machine(
    monkeypatch: pytest.MonkeyPatch, *, root: bool, lacks: str | None = None, guest_lacks: str | None = None
) -> None:
    """Have a machine of which this is said."""
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)

    def missing(needed: Iterable[Probe]) -> str | None:
        names = {probe.__name__ for probe in needed}
        return lacks if lacks is None or lacks in names or lacks == "everything" else None

    monkeypatch.setattr(kernels, "missing", missing)
    monkeypatch.setattr(guest, "obstacle", lambda: guest_lacks)


def test_root_of_a_machine_that_will_do_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True)
    assert str(choose(KernelName.AUTO, ALL)) == "kernel host: it can do all that is needed"


def test_netem_counts_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True, lacks="netem")
    assert choose(KernelName.AUTO, LITTLE).name is KernelName.HOST
    assert choose(KernelName.AUTO, ALL) == Choice(name=KernelName.GUEST, reason="this machine's will not do: netem")


@pytest.mark.parametrize(("plane", "taken"), [(PlaneName.KERNEL, KernelName.GUEST), (PlaneName.AUTO, KernelName.HOST)])
def test_so_does_what_a_plane_needs(plane: PlaneName, taken: KernelName, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True, lacks="kernel_plane")
    assert choose(KernelName.AUTO, needs({plane}, netem=False)).name is taken


def test_who_is_not_root_takes_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=False)
    assert choose(KernelName.AUTO, LITTLE) == Choice(
        name=KernelName.GUEST, reason="this machine's will not do: you are not root"
    )


def test_inside_a_guest_that_is_taken_for_the_reason_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(guest.INSIDE, "as it was asked for")
    for wanted in (KernelName.HOST, KernelName.AUTO):
        choice = choose(wanted, LITTLE)
        assert (str(choice), choice.is_to_boot) == ("kernel guest: as it was asked for", False)
    with pytest.raises(MissingError, match="this is the guest kernel already"):
        choose(KernelName.GUEST, LITTLE)


def test_where_nothing_will_do_both_ways_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=False, guest_lacks="install it")
    with pytest.raises(MissingError, match=r"you are not root .*; nor a guest: install it"):
        choose(KernelName.AUTO, LITTLE)
    with pytest.raises(MissingError, match="--kernel guest: install it"):
        choose(KernelName.GUEST, LITTLE)


@pytest.mark.parametrize("wanted", [KernelName.HOST, KernelName.GUEST])
def test_what_is_asked_for_is_taken(wanted: KernelName, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, root=True, lacks="everything")
    choice = choose(wanted, ALL)
    assert choice == Choice(name=wanted, reason="as it was asked for")
    assert choice.is_to_boot is (wanted is KernelName.GUEST)


@pytest.mark.privileged
def test_a_machine_that_tests_run_on_lacks_nothing() -> None:
    assert kernels.missing(LITTLE) is None
