"""What `mip6lab run --time virtual` does: each scenario has a guest of its own, which begins alike each time."""

import argparse
import compileall
import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import lab
from lab.cli.common import made_for_user
from lab.cli.web import wants_web
from lab.emulation import time_travel
from lab.emulation.experiment import empty
from lab.emulation.guest import Job
from lab.emulation.kernels import KernelName
from lab.emulation.scenario import Scenario
from lab.emulation.virtual_guest import ENVIRONMENT, VirtualGuest
from lab.errors import ConfigError, GuestError
from lab.report.model import Result, load

RESULT = Path("/run/result")
"""Where guests find the folder of the result, however deep it is on the host: each look at a folder takes time."""
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


def play(args: argparse.Namespace, plays: Sequence[tuple[Scenario, Path]], out: Console) -> list[Result]:
    """Play scenarios, each into its folder, by the options of `mip6lab run`; raises `MissingError`, `GuestError`."""
    if args.kernel == KernelName.HOST:
        raise ConfigError("--kernel host: this machine's kernel has no virtual time; a guest has")
    if wants_web(args):
        raise ConfigError("--web: nobody can watch what takes no time; look at the report")
    kernel = time_travel.program()
    _compile()
    out.print(f"[dim]· kernel guest, in virtual time: {escape(str(kernel))}[/]")
    results = []
    for scenario, directory in plays:
        job = Job(
            command=[sys.executable, "-P", "-m", "lab.cli.main", *_words(args, scenario)],
            lent=[directory],
            at=RESULT,
            memory=args.memory,
            logs=[directory / "logs" / "guest.log"],
            environment=ENVIRONMENT,
            directory=Path("/"),  # where Python looks for modules as well, which takes time
        )
        with made_for_user(directory):
            empty(directory)
            with VirtualGuest(job, kernel, seed=args.seed) as guest:
                status = guest.wait(partial(_show, directory, out))
        if not (directory / "result.json").exists():
            raise GuestError(f"{scenario.name} ended with status {status}, and has no result")
        results.append(load(directory))
    return results


def _show(directory: Path, out: Console, line: bytes) -> None:
    """Print a line of a guest: without colours where there should be none, and with the folder's own name."""
    text = line.decode(errors="replace").replace(str(RESULT), str(directory))
    out.file.write(text if out.is_terminal else _COLOUR.sub("", text))
    out.file.flush()


def _words(args: argparse.Namespace, scenario: Scenario) -> Iterator[str]:
    """Give the command that plays one scenario inside."""
    file = Path(str(sys.modules[scenario.body.__module__].__file__)).resolve()
    yield from ("run", f"{file}:{scenario.name}", "--kernel", KernelName.HOST, "--seed", str(args.seed))
    yield from ("--out", str(RESULT))
    if args.plane:
        yield from ("--plane", args.plane)
    for option, values in (("--set", args.settings), ("--without", args.without)):
        for value in values:
            yield from (option, str(value))


def _compile() -> None:
    """Have all of the program compiled, as far as that is allowed: to compile takes time, be it ever so little."""
    if not sys.dont_write_bytecode:
        compileall.compile_dir(Path(lab.__file__).parent, quiet=2)
