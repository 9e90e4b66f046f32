"""Real sshds on loopback, each with a home folder, a host key and an authorised key of its own."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
SEPARATION = Path("/run/sshd")
"""Without this folder an sshd of root does not start; the package's service makes it."""
needs_sshd = pytest.mark.skipif(not Path(SSHD).exists(), reason="needs sshd: apt-get install openssh-server")

USER = pwd.getpwuid(os.getuid()).pw_name

_CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
"""


@dataclass
class Sshd:
    """One sshd; its folder holds the key that it takes, and whatever a test puts there."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def destination(self) -> str:
        return f"{USER}@127.0.0.1:{self.port}"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def known_host(self) -> str:
        """The line of known_hosts that belongs to it."""
        kind, key, *_ = (self.folder / "host_key.pub").read_text(encoding="ascii").split()
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def stop(self) -> None:
        """End it with all its connections, as a machine does that loses power."""
        session = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, check=False
        )
        for pid in [int(it) for it in session.stdout.split()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        self.process.terminate()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run one for the block."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        SEPARATION.mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "key"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    port = free_port()
    configuration = folder / "sshd_config"
    configuration.write_text(_CONFIGURATION.format(port=port, folder=folder), encoding="utf-8")
    log = folder / "sshd.log"
    with log.open("wb") as output:
        command = ["setpriv", "--pdeathsig", "KILL", SSHD, "-D", "-e", "-f", str(configuration)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=output)
    made = Sshd(folder=folder, port=port, process=process)
    try:
        deadline = time.monotonic() + 10
        while b"Server listening" not in log.read_bytes():
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "sshd does not listen"
            time.sleep(0.01)
        yield made
    finally:
        made.stop()
