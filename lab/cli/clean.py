"""Remove whatever a crash left: processes and files of runs whose runner is gone.

Nothing that is not of mip6lab is touched, nor, without `--all`, what belongs to a run that still lives. Namespaces and
links need no cleaning: they end with the last process in them.
"""

import argparse
import sys

from lab.cli.common import need_root
from lab.emulation import leftovers

EXAMPLES = """examples:
  mip6lab clean
  mip6lab clean --all    end living runs as well
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--all", action="store_true", help="end living runs of this machine as well")


def run(args: argparse.Namespace) -> int:
    """Clean up and say what was removed."""
    need_root("mip6lab clean")
    if args.all:
        print("mip6lab: ending living runs as well", file=sys.stderr)
    removed = leftovers.clean(everything=args.all)
    for pid, command in sorted(removed.processes.items()):
        print(f"ended process {pid}: {command}")
    for folder in removed.folders:
        print(f"removed {folder}")
    if not removed.processes and not removed.folders:
        print("nothing was left")
    return 0
