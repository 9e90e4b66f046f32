"""A class: its file of machines, and the commands that a teacher gives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.remote.machines import Machine, Machines, parse_destination
from tests.remote.checkouts import ROOT, stand_in
from tests.remote.sshd import Sshd, sshd


@dataclass
class Classroom:
    """Machines with a real sshd each."""

    folder: Path
    stack: ExitStack
    machines: dict[str, Sshd] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        return ["--machines-file", str(self.folder / "machines.toml")]

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def access(self) -> list[str]:
        return [*self.options, "--known-hosts", str(self.known_hosts)]

    def checkout(self, name: str) -> Path:
        return self.folder / name / "mip6lab"

    def seat(self, name: str, *, known: bool = True) -> Sshd:
        """Start a machine and remember it, its host key as well if that is to be known."""
        machine = self.stack.enter_context(sshd(self.folder / name))
        self.machines[name] = machine
        if known:
            with self.known_hosts.open("a", encoding="ascii") as file:
                file.write(machine.known_host)
        place = parse_destination(machine.destination, machine.key)
        Machines(self.folder / "machines.toml").add(Machine(name=name, place=place, folder=str(self.checkout(name))))
        return machine

    def seat_with_stand_in(self, *names: str) -> None:
        for name in names:
            self.seat(name)
            stand_in(self.checkout(name))

    def command(self, subcommand: str, *words: str) -> list[str]:
        """Give the words behind `mip6lab`; options are put before what is behind `--`."""
        return ["remote", subcommand, *self.access, *words]

    def start(self, subcommand: str, *words: str) -> "subprocess.Popen[bytes]":
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "lab.cli.main", *self.command(subcommand, *words)],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def classroom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Classroom]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with ExitStack() as stack:
        yield Classroom(folder=tmp_path, stack=stack)
