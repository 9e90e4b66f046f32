"""The command `mip6lab`: finds the command, runs it, turns our errors into one clear line."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from lab.errors import Mip6LabError

COMMANDS = {
    "doctor": "say what this machine can do for the lab, and what is missing",
    "list": "list topologies and scenarios",
    "run": "bring a network up, play a scenario, verify it, report",
    "up": "bring a network up and open Mininet's prompt on it",
    "verify": "check captures of any implementation against RFC 6275",
    "report": "rebuild the report of a run",
    "bench": "run benchmarks, as ratios against a baseline of the same run",
    "node": "run one home agent, correspondent node or mobile node",
    "clean": "remove whatever a crash left",
}
INTERRUPTED = 130
FAILED = 2

_EXAMPLES = """examples:
  mip6lab doctor
  mip6lab run handover
  mip6lab up two_visited_links
  mip6lab verify results/handover/captures

`mip6lab COMMAND --help` says more about each.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(given)
    args = parser.parse_args(given)
    if not hasattr(args, "run"):
        parser.print_help()
        return FAILED
    try:
        return int(args.run(args))
    except Mip6LabError as error:
        if args.debug:
            raise
        print(f"mip6lab: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mip6lab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser; only the module of the command that is wanted is imported."""
    parser = argparse.ArgumentParser(
        prog="mip6lab",
        description="Mobile IPv6 (RFC 6275) as a living laboratory.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"mip6lab {version('mip6lab')}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command")
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        if name == wanted:
            module = importlib.import_module(f"lab.cli.{name}_command")
            command = subparsers.add_parser(
                name, help=purpose, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=module.EXAMPLES
            )
            command.description = module.__doc__
            module.add_arguments(command)
            command.set_defaults(run=module.run)
        else:
            subparsers.add_parser(name, help=purpose)
    return parser


if __name__ == "__main__":
    sys.exit(main())
