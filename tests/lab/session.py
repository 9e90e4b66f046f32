"""A program that is talked to by its standard input, as somebody at a terminal does."""

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from lab.emulation import leftovers
from tests.lab.networks import ROOT

WITHIN = 30.0
PROMPT = "mip6lab> "


class Session:
    """A running program; what it says is read as it comes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout.fileno()
        self.said = ""

    def hear(self, *, until: str) -> str:
        """Wait until it has said something; give all up to the end of that."""
        deadline = monotonic() + WITHIN
        while until not in self.said:
            assert monotonic() < deadline, f"not heard within {WITHIN} s: {until!r} in {self.said!r}"
            if select.select([self._output], [], [], 0.1)[0]:
                octets = os.read(self._output, 1 << 16)
                assert octets, f"ended without {until!r}: {self.said!r}"
                self.said += octets.decode()
        heard, _, self.said = self.said.partition(until)
        return heard + until

    def ask(self, command: str) -> str:
        """Give a command at the prompt; give what is said until the next prompt."""
        self.tell(command)
        return self.hear(until=PROMPT)

    def tell(self, command: str) -> None:
        """Write a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def ask_until(self, command: str, expected: str) -> str:
        """Give a command again and again until the answer has something in it."""
        deadline = monotonic() + WITHIN
        while expected not in (answer := self.ask(command)):
            assert monotonic() < deadline, f"{command}: {expected!r} not within {WITHIN} s: {answer}"
        return answer

    def end(self) -> int:
        """Leave, and give the exit status."""
        self.process.communicate(b"exit\n", timeout=WITHIN)
        return self.process.returncode

    def close(self) -> None:
        """End it whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def marked(runner: int) -> list[str]:
    """Name the processes that were started by a run, by the pid of its runner."""
    prefix = f"{leftovers.VARIABLE}={runner}-".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and prefix in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text(encoding="utf-8").replace("\0", " "))
        except OSError:
            continue
    return found


def folders(runner: int) -> list[Path]:
    """Give the folders of a run, by the pid of its runner."""
    return list(leftovers.ROOT.glob(f"{runner}-*"))
