"""What commands share that bring a network up: the choice of a kernel, and doing the same in a guest."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lab.cli.common import may_call_sudo, need_root
from lab.emulation import guest
from lab.emulation.guest import Job
from lab.emulation.kernels import Choice, KernelName, choose


def add_kernel(parser: argparse.ArgumentParser) -> None:
    """Declare `--kernel` and `--memory`; see `choose_kernel` and `same_inside`."""
    parser.add_argument(
        "--kernel",
        choices=[*KernelName],
        default=KernelName.AUTO,
        help="the kernel: this machine's, a guest's, or (auto, the default) this machine's if that will do",
    )
    parser.add_argument(
        "--memory", type=int, default=guest.MEMORY, metavar="MB", help=f"of a guest (default: {guest.MEMORY})"
    )


def choose_kernel(args: argparse.Namespace, what: str, *, netem: bool, out: Console) -> KernelName:
    """Choose and say so; become root where that was promised and is needed; raises `MissingError`."""
    wanted = KernelName(args.kernel)
    if wanted is KernelName.HOST or (wanted is KernelName.AUTO and may_call_sudo()):
        need_root(what)
    choice: Choice = choose(wanted, netem=netem)
    if not guest.inside():  # the host has said it
        out.print(f"[dim]· {choice}[/]", highlight=False)
    return choice.name


def same_inside(args: argparse.Namespace, out: Console, *, lent: Sequence[Path] = ()) -> Job:
    """Give the command that runs, to be run in a guest; its log goes into the folders that it writes to."""
    environment = dict(os.environ)
    if out.is_terminal:  # what it writes comes by a pipe, and ends up there
        environment |= {"FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
    return Job(
        command=[sys.executable, "-P", "-m", "lab.cli.main", *sys.argv[1:], "--kernel", KernelName.HOST],
        lent=lent,
        memory=args.memory,
        logs=[folder / "logs" / "guest.log" for folder in lent],
        environment=environment,
    )
