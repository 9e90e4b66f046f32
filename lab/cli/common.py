"""What several commands share: options, and telling the user what goes on."""

import argparse
import os
from pathlib import Path

from rich.console import Console

from lab.errors import MissingError

RESULTS = Path("results")
SETTINGS_HELP = "a setting of the network, such as ra_interval=0.5, dad=standard, outage=0.05 (repeat for more)"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare `--set`."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help=SETTINGS_HELP)


def need_root(what: str) -> None:
    """Raise `MissingError` unless this is root."""
    if os.geteuid() != 0:
        raise MissingError(f"{what} makes network namespaces and needs root: use sudo, or lab/bootstrap mip6lab …")


def console(*, quiet: bool = False) -> Console:
    """Give the terminal; with `quiet`, standard error, so that standard output is for programs."""
    return Console(stderr=quiet, highlight=False)
