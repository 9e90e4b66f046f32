"""How to reach a machine of Vagrant, as Vagrant itself tells."""

import os
import shutil
import subprocess
from pathlib import Path

from paramiko import SSHConfig

from lab.errors import RemoteError
from lab.remote.machines import SshHost, VagrantMachine

PATIENCE = 60.0
"""Seconds that Vagrant has to answer; it takes some to start."""


def locate(machine: VagrantMachine) -> SshHost:
    """Ask Vagrant; raises `RemoteError` if it is not here, or the machine does not run."""
    if shutil.which("vagrant") is None:
        raise RemoteError("vagrant is missing on this machine")
    try:
        asked = subprocess.run(
            ["vagrant", "ssh-config", machine.machine],
            cwd=machine.project,
            env={**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except FileNotFoundError as error:
        raise RemoteError(f"there is no folder {machine.project}") from error
    except subprocess.TimeoutExpired as error:
        raise RemoteError(f"vagrant does not answer within {PATIENCE:g} s") from error
    if asked.returncode != 0:
        reason = " ".join(asked.stderr.split()) or f"status {asked.returncode}"
        raise RemoteError(f"vagrant ssh-config {machine.machine}: {reason}")
    return host_of(asked.stdout, machine.machine)


def host_of(text: str, machine: str) -> SshHost:
    """Read what `vagrant ssh-config` prints; raises `RemoteError`."""
    found = SSHConfig.from_text(text).lookup(machine)
    keys = found.get("identityfile", [])
    try:
        return SshHost(
            host=found["hostname"],
            user=found["user"],
            port=int(found["port"]),
            key=Path(keys[0]) if keys else None,
        )
    except (KeyError, ValueError) as error:
        raise RemoteError(f"vagrant ssh-config {machine} does not tell its {error}") from error
