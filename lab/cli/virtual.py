"""What `mip6lab run --time virtual` does: each scenario has a guest of its own, which begins alike each time."""

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lab.cli.common import WIDTH_WITHOUT_TERMINAL, made_for_user
from lab.emulation import time_travel, virtual_guest
from lab.emulation.experiment import empty
from lab.emulation.guest import Job
from lab.emulation.kernels import KernelName
from lab.emulation.scenario import Scenario
from lab.errors import ConfigError, GuestError
from lab.report.model import Result, load


def play(args: argparse.Namespace, plays: Sequence[tuple[Scenario, Path]], out: Console) -> list[Result]:
    """Play scenarios, each into its folder, by the options of `mip6lab run`; raises `MissingError`, `GuestError`."""
    if args.kernel == KernelName.HOST:
        raise ConfigError("--kernel host: this machine's kernel has no virtual time; a guest has")
    kernel = time_travel.program()
    out.print(f"[dim]· kernel guest, in virtual time: {escape(str(kernel))}[/]")
    results = []
    for scenario, directory in plays:
        with made_for_user(directory):
            empty(directory)
            job = Job(
                command=[sys.executable, "-P", "-m", "lab.cli.main", *_words(args, scenario, directory)],
                lent=[directory],
                memory=args.memory,
                logs=[directory / "logs" / "guest.log"],
                environment=virtual_guest.environment(
                    shutil.get_terminal_size().columns if out.is_terminal else WIDTH_WITHOUT_TERMINAL
                ),
            )
            file = (sys.stderr if args.json else sys.stdout).buffer
            status = virtual_guest.run(job, kernel, seed=args.seed, out=file, coloured=out.is_terminal)
        if not (directory / "result.json").exists():
            raise GuestError(f"{scenario.name} ended with status {status}, and has no result")
        results.append(load(directory))
    return results


def _words(args: argparse.Namespace, scenario: Scenario, directory: Path) -> Iterator[str]:
    """Give the command that plays one scenario inside."""
    file = sys.modules[scenario.body.__module__].__file__
    yield from ("run", f"{file}:{scenario.name}", "--kernel", KernelName.HOST, "--seed", str(args.seed))
    yield from ("--out", str(directory))
    if args.plane:
        yield from ("--plane", args.plane)
    for option, values in (("--set", args.settings), ("--without", args.without)):
        for value in values:
            yield from (option, str(value))
