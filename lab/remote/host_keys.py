"""Whether a machine is the one that it was before: its host key, by the file `known_hosts` of OpenSSH."""

import os
import threading
from pathlib import Path
from typing import Any

from paramiko import MissingHostKeyPolicy, PKey, SSHClient, SSHException

SYSTEM_WIDE = Path("/etc/ssh/ssh_known_hosts")
_writing = threading.Lock()


class UnknownHostKeyError(SSHException):  # type: ignore[misc] # Paramiko has no types
    """Nobody has said yet that this key is that of the machine."""


class HostKeys(MissingHostKeyPolicy):  # type: ignore[misc] # Paramiko has no types
    """Takes keys that a file knows; one of a machine that it does not know, if told so, and writes it down then."""

    def __init__(self, path: Path, *, accept_new: bool) -> None:
        self._path, self._accept_new = path, accept_new

    def guard(self, client: SSHClient) -> None:
        """Have a client ask here. A key other than the one that is known is refused in any case."""
        client.set_missing_host_key_policy(self)
        for path in (SYSTEM_WIDE, self._path):
            if path.exists():
                client.load_system_host_keys(str(path))

    def missing_host_key(self, client: Any, hostname: str, key: PKey) -> None:
        """Paramiko asks what becomes of an unknown key; raises `UnknownHostKeyError`, with its fingerprint."""
        if not self._accept_new:
            raise UnknownHostKeyError(f"{key.get_name()} {key.fingerprint}")
        with _writing:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            line = f"{hostname} {key.get_name()} {key.get_base64()}\n"
            with open(os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
                known = file.read()
                file.write(line if known.endswith("\n") or not known else f"\n{line}")
