"""Capturing every link from before the first packet, by dumpcap into pcapng."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

from lab.emulation.namespace import Namespace
from lab.emulation.process import check_alive, end
from lab.errors import MissingError, ScenarioError

READY_WITHIN = 10.0


class Capture:
    """One link's capture."""

    def __init__(self, links: Namespace, link: str, path: Path, log: Path) -> None:
        if shutil.which("dumpcap") is None:
            raise MissingError("dumpcap is missing: install the package wireshark-common")
        self.path = path
        self._link, self._log = link, log
        comment = f"mip6lab link {link}"
        command = ["dumpcap", "-q", "-n", "-i", link, "-w", str(path), "--capture-comment", comment]
        with log.open("wb") as output:
            self._process = links.spawn(command, stdout=output, stderr=output)

    def wait_ready(self) -> None:
        """Wait until packets are being taken; raises `ScenarioError` if dumpcap ends or takes too long."""
        deadline = time.monotonic() + READY_WITHIN
        while b"File:" not in self._log.read_bytes():  # dumpcap says so once the interface is open
            check_alive(self._process, f"dumpcap on {self._link}", self._log)
            if time.monotonic() > deadline:
                raise ScenarioError(f"dumpcap on {self._link} is not ready after {READY_WITHIN} s; see {self._log}")
            time.sleep(0.005)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The dumpcap."""
        return self._process


def stop(captures: list[Capture]) -> None:
    """End captures together; their files are whole afterwards."""
    end([capture.process for capture in captures], signal.SIGINT)
