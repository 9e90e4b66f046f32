"""What commands share that bring a network up: the choice of a kernel, and doing the same in a guest."""

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from lab.cli.common import may_call_sudo, need_root
from lab.daemon.config import PlaneName
from lab.emulation import guest
from lab.emulation.guest import Job
from lab.emulation.kernels import Choice, KernelName, choose, needs
from lab.errors import MissingError


def add_kernel(parser: argparse.ArgumentParser, default: KernelName = KernelName.AUTO) -> None:
    """Declare `--kernel` and `--memory`; see `choose_kernel` and `same_inside`."""
    parser.add_argument(
        "--kernel",
        choices=[*KernelName],
        default=default,
        help=f"the kernel: this machine's, a guest's, or (auto) this machine's if that will do (default: {default})",
    )
    parser.add_argument(
        "--memory", type=int, default=guest.MEMORY, metavar="MB", help=f"of a guest (default: {guest.MEMORY})"
    )


def choose_kernel(
    args: argparse.Namespace, what: str, planes: Iterable[PlaneName], *, netem: bool, web: bool = False
) -> Choice:
    """Choose for networks with some data planes; become root where that was promised and is needed.

    Raises `MissingError`, also where a live page is wanted of a guest.
    """
    wanted = KernelName(args.kernel)
    if wanted is KernelName.HOST or (wanted is KernelName.AUTO and may_call_sudo()):
        need_root(what)
    choice = choose(wanted, needs(planes, netem=netem))
    if choice.is_to_boot and web:
        raise MissingError("--web: a guest kernel has no network with this machine; run this as root, or --kernel host")
    return choice


def same_inside(args: argparse.Namespace, out: Console, why: Choice, *, lent: Sequence[Path] = ()) -> Job:
    """Give the command that runs, to be run in a guest, and say so; its log goes into the folders that it writes to."""
    out.print("[dim]· booting the guest kernel[/]", highlight=False)
    environment = os.environ | {guest.INSIDE: why.reason}  # it says that itself, beside what it chooses
    if out.is_terminal:  # what it writes comes by a pipe, and ends up there
        environment |= {"FORCE_COLOR": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
    return Job(
        command=[sys.executable, "-P", "-m", "lab.cli.main", *sys.argv[1:], "--kernel", KernelName.HOST],
        lent=lent,
        memory=args.memory,
        logs=[folder / "logs" / "guest.log" for folder in lent],
        environment=environment,
    )
