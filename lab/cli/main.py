"""The command `mip6lab`: finds the command, runs it, turns our errors into one clear line.

Each command is a module `lab.cli.NAME` with a docstring (its description), `EXAMPLES` (shown below its help),
`add_arguments(parser)` and `run(args)`, which gives the exit status. Only the module of the command that is
wanted is imported, so that help comes at once and a node starts light.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from lab.errors import Mip6LabError

COMMANDS = {
    "doctor": "say what this machine can do for the lab, and what is missing",
    "list": "list topologies, scenarios, exercises and lessons",
    "run": "bring a network up, play a scenario, verify it, report",
    "up": "bring a network up and open Mininet's prompt on it",
    "web": "show a running lab as a live page",
    "watch": "show bindings and messages of a running lab as text",
    "capture": "write what a link of a running lab carries, for Wireshark",
    "kernel": "build the kernel for virtual time, or say which one there is",
    "shell": "open a shell in a guest kernel, as its root",
    "verify": "check captures of any implementation against RFC 6275",
    "report": "rebuild the report of a run",
    "compare": "put runs side by side",
    "sweep": "play a scenario with every combination of some settings, and compare",
    "sheets": "write sheets of lessons and exercises for a class",
    "grade": "grade what a student made for a lesson",
    "bench": "run benchmarks, as ratios against a baseline of the same run",
    "node": "run one home agent, correspondent node or mobile node",
    "remote": "do all this on other machines, a class of them at once",
    "clean": "remove whatever a crash left",
}
FAILED = 2
INTERRUPTED = 130

_EXAMPLES = """examples:
  mip6lab doctor
  mip6lab list
  mip6lab run handover
  mip6lab run route-optimisation
  mip6lab up two_visited_links
  mip6lab verify results/handover/captures

`mip6lab COMMAND --help` says more about each.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(given)
    args = parser.parse_args(given)
    if args.command is None:
        parser.print_help()
        return FAILED
    try:
        with _ending_in_order():
            status = int(args.run(args))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("mip6lab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (Mip6LabError, OSError) as error:
        if args.debug:
            raise
        print(f"mip6lab: {error}", file=sys.stderr)
        return FAILED


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let a command clean up after itself when it is terminated or its terminal is closed."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup ignores SIGHUP, and means it
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Version(argparse.Action):
    """Print the version; looked up only when it is asked for, since that takes as long as all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        print(f"mip6lab {version('mip6lab')}")
        parser.exit()


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mip6lab",
        description="Mobile IPv6 (RFC 6275) as a living laboratory.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and end")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(metavar="COMMAND", dest="command")
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, purpose in COMMANDS.items():
        command = subparsers.add_parser(
            name, help=purpose, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
        )
        if name == wanted:
            _complete(command, name)
    return parser


def _complete(command: argparse.ArgumentParser, name: str) -> None:
    module = importlib.import_module(f"lab.cli.{name}")
    command.description = module.__doc__
    command.epilog = module.EXAMPLES
    command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    module.add_arguments(command)
    command.set_defaults(run=module.run)


if __name__ == "__main__":
    sys.exit(main())
