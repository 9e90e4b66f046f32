"""Check captures, of any implementation, against rules of RFC 6275.

Give all captures of one run together: many rules compare what one link carried with what another did. A folder stands
for the captures in it, the folder of a run for those in its `captures`. ESP is opened with the keys in a file `esp_sa`
beside the captures, Wireshark's table "ESP SAs", which a run leaves there. The exit status is 0 if no rule failed and
at least one applied, else 1.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.common import MARKS, console
from lab.errors import ConfigError
from lab.verify import Check, Verdict, verify

EXAMPLES = """examples:
  mip6lab verify results/handover                 the captures of a run
  mip6lab verify home.pcapng visited.pcapng       of any implementation, from any tool
  mip6lab verify captures/ --json                 for programs
  mip6lab verify captures/ --esp-sa ~/.config/wireshark/esp_sa
                                                  with the keys that Wireshark has
"""
SUFFIXES = (".pcapng", ".pcap", ".cap")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("captures", nargs="+", type=Path, metavar="CAPTURE", help="pcap and pcapng files, or folders")
    parser.add_argument(
        "--esp-sa",
        type=Path,
        metavar="FILE",
        help="keys of ESP, as Wireshark keeps them (default: beside the captures)",
    )
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")


def run(args: argparse.Namespace) -> int:
    """Verify; 0 if nothing failed and something applied."""
    captures = expand(args.captures)
    checks = verify(captures, args.esp_sa)
    ok = holds(checks)
    if args.json:
        found = {"ok": ok, "captures": [str(path) for path in captures], "checks": [asdict(check) for check in checks]}
        print(json.dumps(found, indent=2))
    else:
        show(checks, console())
    return 0 if ok else 1


def holds(checks: Iterable[Check]) -> bool:
    """Say whether no rule failed and at least one applied."""
    verdicts = {check.verdict for check in checks}
    return Verdict.PASSED in verdicts and Verdict.FAILED not in verdicts


def expand(paths: Sequence[Path]) -> list[Path]:
    """Give the captures that paths stand for; raises `ConfigError` for a folder without any."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        folder = path / "captures" if (path / "captures").is_dir() else path
        inside = sorted(entry for entry in folder.iterdir() if entry.suffix in SUFFIXES)
        if not inside:
            raise ConfigError(f"{folder}: no captures ({', '.join(SUFFIXES)}) in it")
        found += inside
    return list(dict.fromkeys(found))


def show(checks: Sequence[Check], out: Console) -> None:
    """Print a table of checks and a verdict."""
    table = Table("", "rule", "requirements", "title", "evidence", box=None, header_style="dim", padding=(0, 1))
    for check in checks:
        evidence = " ".join(f"{seen.capture}:{seen.frame}" for seen in check.evidence[:3])
        detail = f"{escape(check.detail)} [dim]{escape(evidence)}[/]"
        table.add_row(MARKS[check.verdict], check.id, "\n".join(check.requirements), escape(check.title), detail)
    out.print(table)
    count = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
    word = "[bold green]passed[/]" if holds(checks) else "[bold red]failed[/]"
    if not count[Verdict.PASSED] and not count[Verdict.FAILED]:
        word = "[bold red]nothing to judge[/]"
    out.print(
        f"{word}: {count[Verdict.PASSED]} rules hold, {count[Verdict.FAILED]} do not, "
        f"{count[Verdict.NOT_APPLICABLE]} found nothing to judge"
    )
