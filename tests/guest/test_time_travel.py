"""Building the kernel for virtual time: what it is made of, where it is kept, and what is said where it cannot be."""

import gzip
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.emulation import leftovers, time_travel
from lab.emulation.time_travel import EDITS, Edit, apply, build, cached, configuration, lacking, obstacle, program
from lab.errors import GuestError, MissingError
from tests.lab.networks import until

OPTION = "CONFIG_UML_TIME_TRAVEL_SUPPORT=y"
AS_ASKED = "cp $(KCONFIG_ALLCONFIG) .config"
"""What stands for configuring in a source that only looks like Linux."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a cache of one's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mip6lab"


def source(folder: Path, *, configuring: str = AS_ASKED, linking: str = "exit 1") -> Path:
    """Make what looks like the source of Linux, and does this and that when it is built."""
    tree = folder / "linux"
    for edit in EDITS:
        (tree / edit.path).parent.mkdir(parents=True, exist_ok=True)
        (tree / edit.path).write_text(f"before\n{edit.old}\nafter\n", encoding="utf-8")
    (tree / "Makefile").write_text(f"allnoconfig:\n\t{configuring}\nlinux:\n\t{linking}\n", encoding="utf-8")
    path = folder / "linux.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        archive.add(tree, "linux")
    shutil.rmtree(tree)
    return path


def test_the_name_tells_the_configuration_and_the_changes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = configuration()
    assert cached() == cache / f"linux-{first}"
    monkeypatch.setattr(time_travel, "EDITS", EDITS[1:])
    second = configuration()
    monkeypatch.setattr(time_travel, "CONFIG", cache.parent.parent / "config")
    time_travel.CONFIG.write_text(f"{OPTION}\n", encoding="ascii")
    assert len({first, second, configuration()}) == 3


def test_lines_that_a_configuration_lacks_are_told() -> None:
    ours = time_travel.CONFIG.read_text(encoding="ascii")
    assert OPTION in ours
    assert lacking(ours) == []
    assert lacking(ours.replace(OPTION, f"# {OPTION[:-2]} is not set")) == [OPTION]


def test_nothing_is_asked_of_modules_or_of_the_host_s_randomness() -> None:
    lines = time_travel.CONFIG.read_text(encoding="ascii").splitlines()
    assert not [line for line in lines if line.endswith("=m") or line.startswith(("CONFIG_MODULES=", "CONFIG_UML_RANDOM="))]
    assert "CONFIG_RANDOM_TRUST_CPU=y" in lines
    assert "CONFIG_HZ=1000" in lines
