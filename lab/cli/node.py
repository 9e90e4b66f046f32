"""Run one home agent, correspondent node or mobile node, in the lab or on a real machine."""

import argparse
from pathlib import Path

from lab.daemon.config import load, refuse_without

EXAMPLES = """examples:
  mip6lab node --config ha.toml          run until SIGTERM or Ctrl-C; the journal goes to standard output
  mip6lab node --config ha.toml --check  only say whether the configuration is right
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file of the node")
    parser.add_argument("--check", action="store_true", help="check the configuration and end")
    parser.add_argument("--verbose", action="store_true", help="log more to standard error")


def run(args: argparse.Namespace) -> int:
    """Run the node."""
    config = load(args.config)
    if args.check:
        refuse_without(config)
        print(f"{args.config}: a {config.role} named {config.name}")
        return 0
    from lab.daemon import process  # noqa: PLC0415 - checking a file needs no root

    process.log(verbose=args.verbose)
    process.run(config)
    return 0
