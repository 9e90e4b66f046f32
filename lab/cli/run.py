"""Bring a network up, play a scenario on it, verify the captures, and leave a report."""

import argparse
import contextlib
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli import virtual
from lab.cli.choice import add_kernel, choose_kernel, same_inside
from lab.cli.common import MARKS, RESULTS, add_settings, console, made_for_user, settings_of
from lab.cli.web import add_web, beside, wants_web
from lab.emulation import guest, kernels
from lab.emulation.experiment import empty
from lab.emulation.experiment import run as run_experiment
from lab.emulation.scenario import Scenario, find_scenarios
from lab.emulation.settings import Settings
from lab.emulation.times import TimeName
from lab.events import Record
from lab.report.model import Attack, Result
from lab.report.timeline import Choice, timeline
from lab.safeguards import Safeguard, Without
from lab.verify.check import Verdict

EXAMPLES = """examples:
  mip6lab run handover
  mip6lab run route-optimisation ro-return-home    several, one after the other
  mip6lab run handover --set dad=standard          see what ordinary Duplicate Address Detection costs
  mip6lab run handover --set ro=on                 the same moves with a direct path to the correspondent
  mip6lab run ro-handover --set outage=0.5 --repeat 3
  mip6lab run handover --json > result.json
  mip6lab run ro-handover --web                    watch it in a browser while it is played
  mip6lab run handover --time virtual --seed 7     the same octets each time; needs `mip6lab kernel build` once
  mip6lab run exercise/false-home-registration     an attack, and what withstands it
  mip6lab run exercise/false-home-registration --without esp
  mip6lab run my_lab.py                            all scenarios of a file of your own
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "scenarios",
        nargs="+",
        metavar="SCENARIO",
        help="names, see `mip6lab list`; FILE.py or FILE.py:NAME for your own",
    )
    add_settings(parser)
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        type=_safeguard,
        metavar="PROTECTION",
        help="switch a protection off in all of the network, to see what it is for (repeat for more)",
    )
    add_kernel(parser)
    add_web(parser)
    parser.add_argument(
        "--time",
        choices=[*TimeName],
        default=TimeName.REAL,
        help="real (default), or virtual: waiting takes none, and the same seed gives the same octets",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="what keys, and in virtual time all randomness, are drawn from (default: 1)"
    )
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="play each scenario N times")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the result (default: results/SCENARIO)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, everything else on stderr")


def run(args: argparse.Namespace) -> int:
    """Run the scenarios; 0 only if all their checks hold."""
    scenarios = [scenario for name in args.scenarios for scenario in find_scenarios(name)]
    plays = [
        (scenario, settings_of(args, scenario.settings), _directory(args, scenario, number, several=len(scenarios) > 1))
        for scenario in scenarios
        for number in range(1, args.repeat + 1)
    ]
    out = console(quiet=args.json)
    if args.time == TimeName.VIRTUAL:
        return _told(args, virtual.play(args, [(scenario, directory) for scenario, _, directory in plays], out))
    netem = any(scenario.needs_netem for scenario in scenarios)
    planes = {chosen.plane for _, chosen, _ in plays}
    kernel = choose_kernel(args, "mip6lab run", planes, netem=netem, web=wants_web(args))
    if kernel.is_to_boot:
        return _run_in_guest(args, [directory for *_, directory in plays], out, kernel)
    results = []
    for scenario, chosen, directory in plays:
        with made_for_user(directory):
            results.append(_play(args, scenario, chosen, directory, kernel, out))
    return _told(args, results)


def _told(args: argparse.Namespace, results: Sequence[Result]) -> int:
    """Print the results as JSON if that is wanted; give the exit status."""
    if args.json:
        if len(results) == 1:
            sys.stdout.write(results[0].to_json())
        else:
            sys.stdout.write("[" + ",".join(result.to_json() for result in results) + "]\n")
    return 0 if all(result.ok for result in results) else 1


def _directory(args: argparse.Namespace, scenario: Scenario, number: int, *, several: bool) -> Path:
    base: Path = args.out or RESULTS
    if args.out is None or several:
        base = base / scenario.name
    return base.resolve() if args.repeat == 1 else (base / f"{number:03d}").resolve()


def _run_in_guest(args: argparse.Namespace, directories: Sequence[Path], out: Console, why: kernels.Choice) -> int:
    """Run the same command in a guest that writes into the folders of the results."""
    with contextlib.ExitStack() as made:
        for directory in directories:
            made.enter_context(made_for_user(directory))
            empty(directory)
        return guest.run(same_inside(args, out, why, lent=directories))


def _play(
    args: argparse.Namespace,
    scenario: Scenario,
    settings: Settings,
    directory: Path,
    kernel: kernels.Choice,
    out: Console,
) -> Result:
    without: Without = frozenset(args.without)
    out.print(f"[bold]{scenario.name}[/]: {scenario.summary}")
    out.print(f"[dim]{(scenario.topology.__doc__ or '').strip()}[/]", markup=True)
    for safeguard in sorted(without):
        out.print(f"[bold reverse red] WITHOUT {safeguard} [/] [red]switched off: {escape(safeguard.sentence)}[/]")
    start: list[float] = []
    choice = Choice()

    def show(record: Record) -> None:
        if not choice.takes(record):
            return
        if not start:
            start.append(record.time)
        for line in timeline([record], start[0]):
            if line.text.startswith("──"):
                out.print(f"[bold]{escape(line.text)}[/]")
            else:
                text, section = escape(line.text), line.section
                out.print(f"[dim]{line.time:8.3f}[/]  [cyan]{line.node:<4}[/]  {text}  [dim]{section}[/]")

    result = run_experiment(
        scenario,
        settings=settings,
        seed=args.seed,
        directory=directory,
        kernel=kernel,
        progress=lambda text: out.print(f"[dim]· {escape(text)}[/]"),
        on_record=show,
        without=without,
        beside=lambda lab: beside(args, lab, out),
    )
    show_result(result, out)
    out.print(f"report: {directory / 'report.html'}", soft_wrap=True)
    return result


def show_result(result: Result, out: Console) -> None:
    """Print checks and handovers."""
    for check in result.checks:
        frame = f"{check.evidence[0].capture}:{check.evidence[0].frame}" if check.evidence else ""
        requirements = ", ".join(check.requirements)
        out.print(
            f"{MARKS[check.verdict]} {escape(check.title)} [dim]{requirements} · {escape(check.detail)} {frame}[/]",
            soft_wrap=True,
        )
    if result.handovers:
        table = Table("from", "to", "interruption", "lost", *[name.replace("_", " ") for name in _parts(result)])
        for handover in result.handovers:
            parts = [f"{value:.1f}" for value in handover.breakdown.values()]
            interruption = f"{handover.interruption_ms:.1f} ms"
            table.add_row(handover.from_link, handover.to_link, interruption, str(handover.lost), *parts)
        out.print(table)
    applying = [check for check in result.checks if check.verdict is not Verdict.NOT_APPLICABLE]
    passed = sum(check.verdict is Verdict.PASSED for check in applying)
    if result.attack:
        _show_attack(result, result.attack, out)
    if result.error:
        out.print(f"[bold red]✗ the scenario did not come to its end:[/] {escape(result.error)}")
    word = "[bold green]passed[/]" if result.ok else "[bold red]failed[/]"
    out.print(f"{word}: {passed} of {len(applying)} checks hold")


def _show_attack(result: Result, attack: Attack, out: Console) -> None:
    """Print what became of an exercise's attack, and what proves it."""
    withstands = f"withstood by {attack.protection}" if attack.protection else "RFC 6275 has nothing that withstands it"
    off = f", without {', '.join(result.without)}" if result.without else ""
    colour = "green" if attack.as_expected else "bold red"
    out.print(f"[{colour}]{escape(attack.outcome)}[/] [dim]§{attack.section} · {withstands}{off}[/]")
    for frame in attack.evidence:
        out.print(f"  [dim]{frame.capture}:{frame.frame}[/] {escape(frame.note)}")
    for told in attack.events:
        out.print(f"  {escape(told)}")
    if attack.caught_by:
        out.print(f"  rules that it breaks: {', '.join(attack.caught_by)}", soft_wrap=True)


def _safeguard(word: str) -> Safeguard:
    """Read a protection; the error tells the nearest one."""
    try:
        return Safeguard(word)
    except ValueError as error:
        close = difflib.get_close_matches(word, [*Safeguard], n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(Safeguard)}"
        raise argparse.ArgumentTypeError(f"no protection {word!r}; {hint}") from error


def _parts(result: Result) -> list[str]:
    return [*result.handovers[0].breakdown]
