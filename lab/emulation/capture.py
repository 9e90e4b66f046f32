"""Capturing every link from before the first packet, by dumpcap into pcapng."""

import shutil
import signal
import subprocess
from pathlib import Path

from lab.emulation.namespace import Namespace
from lab.emulation.process import end, wait_until
from lab.errors import MissingError

READY_WITHIN = 30.0


class Capture:
    """One link's capture."""

    def __init__(self, links: Namespace, link: str, path: Path, log: Path) -> None:
        if shutil.which("dumpcap") is None:
            raise MissingError("dumpcap is missing: install the package wireshark-common")
        self.path = path
        self._link, self._log = link, log
        comment = f"mip6lab link {link}"
        command = ["dumpcap", "-q", "-n", "-i", link, "-w", "-", "--capture-comment", comment]
        # The file is opened here: dumpcap lays down the right to write into another's folder, which root has.
        with path.open("wb") as file, log.open("wb") as output:
            self._process = links.spawn(command, stdout=file, stderr=output)

    def wait_ready(self) -> None:
        """Wait until packets are being taken; raises `ScenarioError` if dumpcap ends or takes too long."""
        wait_until(
            lambda: b"File:" in self._log.read_bytes(),  # dumpcap says so once the interface is open
            self._process,
            f"dumpcap on {self._link}",
            self._log,
            within=READY_WITHIN,
            fault="is not ready",
        )

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The dumpcap."""
        return self._process


def stop(captures: list[Capture]) -> None:
    """End captures together; their files are whole afterwards."""
    end([capture.process for capture in captures], signal.SIGINT)
