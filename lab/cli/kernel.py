"""Build the kernel for virtual time, or say which one there is.

A run in virtual time (`mip6lab run --time virtual`) has a kernel of its own, in which waiting takes no time. No
distribution has it, so it is built here: once, from the distribution's source of Linux, without any rights. It is kept
in the user's cache folder ($XDG_CACHE_HOME or ~/.cache).
"""

import argparse
from pathlib import Path

from rich.markup import escape

from lab.cli.common import console
from lab.emulation import time_travel

EXAMPLES = """examples:
  mip6lab kernel                          say what is there
  mip6lab kernel build
  mip6lab kernel build --source linux-6.1.tar.xz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("what", nargs="?", choices=["show", "build"], default="show", help="default: show")
    parser.add_argument(
        "--source",
        type=Path,
        default=time_travel.SOURCE,
        metavar="FILE",
        help=f"source of Linux 6.1 (default: {time_travel.SOURCE}, of the package {time_travel.SOURCE_PACKAGE})",
    )


def run(args: argparse.Namespace) -> int:
    """Do it; 0 if the kernel is there afterwards."""
    out = console()
    if args.what == "build":
        time_travel.build(args.source.resolve(), lambda text: out.print(f"[dim]· {escape(text)}[/]"))
    reason = time_travel.obstacle()
    if reason is not None:
        out.print(f"no virtual time: {escape(reason)}", soft_wrap=True)
        return 1
    out.print(escape(f"{time_travel.cached()}: {time_travel.described()}"), soft_wrap=True)
    return 0
