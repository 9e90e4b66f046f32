"""Open a shell in a guest kernel, as its root, whoever you are on this machine.

All of the host's files are there; what is changed stays in the guest's memory and ends with it. `mip6lab` and all of
its commands work inside. With a TOPOLOGY its network is up, at Mininet's prompt. Leave by `exit` or Ctrl-D.
"""

import argparse
import os
import sys
from pathlib import Path

from lab.cli.common import console
from lab.emulation import guest, terminal
from lab.emulation.guest import Job
from lab.emulation.kernels import KernelName
from lab.emulation.scenario import find_topology

EXAMPLES = """examples:
  mip6lab shell
  mip6lab shell two_visited_links    the network is up
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("topology", nargs="?", metavar="TOPOLOGY", help="a name, see `mip6lab list`, or a file")
    parser.add_argument("--kernel", choices=[KernelName.GUEST], help="the only one that a shell is opened in")
    parser.add_argument("--memory", type=int, default=guest.MEMORY, metavar="MB", help=f"default: {guest.MEMORY}")


def run(args: argparse.Namespace) -> int:
    """Boot, open the shell, power off."""
    programs = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{programs}:{os.environ.get('PATH', os.defpath)}", "PS1": "guest:\\w# "}
    command = ["bash", "--norc"]
    if args.topology is not None:
        find_topology(args.topology)  # what is wrong with it is known before anything is booted
        command = [sys.executable, "-P", "-m", "lab.cli.main", "up", args.topology, "--kernel", KernelName.HOST]
    console(quiet=True).print("[dim]· booting the guest kernel[/]")
    return terminal.attend(Job(command=command, memory=args.memory, environment=environment))
