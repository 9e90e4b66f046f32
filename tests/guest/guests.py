"""What tests of guest kernels share: why they skip, commands of an ordinary user, and looking for what is left."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from lab.emulation import guest

NOBODY = 65534
BOOTED_WITHIN = 120.0
PROGRAM = (sys.executable, "-m", "lab.emulation.guest")
MIP6LAB = (sys.executable, "-m", "lab.cli.main")

_obstacle = guest.obstacle()
needs_guest = pytest.mark.skipif(_obstacle is not None, reason=f"no guest kernel: {_obstacle}")


@cache
def ordinary_user() -> tuple[str, ...]:
    """Give the words before a command that make it an ordinary user's; none if that is what we are."""
    if os.geteuid() != 0:
        return ()
    become = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    without_rights = (*become, "--bounding-set=-all", "env")  # setpriv itself still finds what only root may
    if subprocess.run([*without_rights, sys.executable, "-c", ""], capture_output=True, check=False).returncode == 0:
        return without_rights
    # This Python is in a folder that only root may read: the user may read too, but no more than that.
    rights = (f"--{which}=-all,+dac_read_search" for which in ("bounding-set", "inh-caps", "ambient-caps"))
    return (*become, "--securebits=+no_setuid_fixup", *rights, "env")


def ordinary_folder(folder: Path) -> Path:
    """Give an ordinary user a folder that tests of root made, and what is above it to be passed through."""
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
        for above in folder.parents:
            if above.is_relative_to(tempfile.gettempdir()) and above != Path(tempfile.gettempdir()):
                above.chmod(above.stat().st_mode | 0o111)
    return folder


def environment(home: Path) -> dict[str, str]:
    """Give the environment of a user with a home; what it runs is not raised to root."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUDO_", "MIP6LAB_"))}
    return kept | {"HOME": str(home), "PYTHONPATH": str(Path(guest.__file__).parents[2])}


def folders(runner: int) -> list[Path]:
    """Give the folders of a runner's guests."""
    return list(Path(tempfile.gettempdir()).glob(f"mip6lab-guest-{runner}-*"))
