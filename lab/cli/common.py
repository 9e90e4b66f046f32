"""What several commands share: options, root, and telling the user what goes on."""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from lab.daemon.config import PlaneName
from lab.emulation.running import process_of, sockets
from lab.emulation.settings import Settings, settings_from
from lab.errors import MissingError
from lab.verify.check import Verdict

RESULTS = Path("results")
SETTINGS_HELP = "a setting of the network, such as ro=off, dad=standard or outage=0.05 (repeat for more)"
RAISE = "MIP6LAB_RAISE"
"""Set to `sudo` by lab/bootstrap, which promises that commands raise themselves."""
WIDTH_WITHOUT_TERMINAL = 140
MARKS = {Verdict.PASSED: "[green]✓[/]", Verdict.FAILED: "[bold red]✗[/]", Verdict.NOT_APPLICABLE: "[dim]–[/]"}


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare `--set` and `--plane`; see `settings_of`."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help=SETTINGS_HELP)
    parser.add_argument("--plane", choices=[*PlaneName], help=f"data plane (default: {Settings().plane})")


def settings_of(args: argparse.Namespace, base: Settings | None = None) -> Settings:
    """Read what `add_settings` declared; raises `ConfigError`."""
    return settings_from([*args.settings, *([f"plane={args.plane}"] if args.plane else [])], base)


def add_lab(parser: argparse.ArgumentParser) -> None:
    """Declare `--lab`; see `chosen_lab`."""
    parser.add_argument(
        "--lab", metavar="PID", help="process of the `mip6lab up` or `run` to be shown (default: the only one)"
    )


def chosen_lab(args: argparse.Namespace) -> Path:
    """Find the control socket of the lab that was asked for; raises `MissingError`, which names those that run."""
    running = sockets()
    if args.lab is not None:
        running = [path for path in running if args.lab in (str(path), process_of(path))]
        if not running:
            raise MissingError(f"no lab runs in process {args.lab}; `mip6lab up TOPOLOGY` brings one up")
    if not running:
        raise MissingError("no lab runs on this machine; `mip6lab up TOPOLOGY` brings one up, in another terminal")
    if len({process_of(path) for path in running}) > 1:
        raise MissingError(f"several labs run; choose one by --lab: {', '.join(map(process_of, running))}")
    return running[-1]


def may_call_sudo() -> bool:
    """Tell whether `need_root` starts the command anew by sudo."""
    return os.environ.get(RAISE) == "sudo" and shutil.which("sudo") is not None


def need_root(what: str) -> None:
    """Return only as root: start this command anew by sudo where that was promised, else raise `MissingError`."""
    if os.geteuid() == 0:
        return
    if may_call_sudo():
        print(f"mip6lab: {what} needs root, calling sudo", file=sys.stderr, flush=True)
        # sudo forgets PATH; compiled files of root in the checkout would lock its owner out.
        environment = [f"PATH={os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE=1"]
        command = [sys.executable, "-P", "-m", "lab.cli.main", *sys.argv[1:]]
        os.execvp("sudo", ["sudo", "--", "env", *environment, *command])
    raise MissingError(f"{what} makes network namespaces and needs root: use sudo, or lab/bootstrap mip6lab …")


@contextlib.contextmanager
def made_for_user(directory: Path) -> Iterator[None]:
    """Leave what root makes in a folder under sudo, and the folders made above it, to the user who called sudo."""
    made = [above for above in directory.parents if not above.exists()]
    try:
        yield
    finally:
        user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
        if user and group and directory.exists():
            for path in (*made, directory, *directory.rglob("*")):
                os.chown(path, int(user), int(group))


def console(*, quiet: bool = False) -> Console:
    """Give the terminal; with `quiet`, standard error, so that standard output is for programs."""
    terminal = Console(stderr=quiet, highlight=False)
    if not terminal.is_terminal and "COLUMNS" not in os.environ:
        terminal.width = WIDTH_WITHOUT_TERMINAL  # a file or a pipe has no width that would call for shorter lines
    return terminal
