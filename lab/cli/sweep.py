"""Play a scenario with every combination of some settings, several times each, and compare the runs.

Interrupted, the same command goes on where it was; with a larger --repeat it adds to what is there.
"""

import argparse
import contextlib
from pathlib import Path

from lab.cli.choice import add_kernel, choose_kernel, same_inside
from lab.cli.common import RESULTS, console, made_for_user
from lab.cli.compare import show, tell_failures
from lab.daemon.config import PlaneName
from lab.emulation import guest
from lab.emulation.experiment import run as run_experiment
from lab.emulation.scenario import find_scenarios
from lab.emulation.sweep import Point, Sweep, play, points, read_values, resume
from lab.errors import ScenarioError
from lab.report.comparison import Run, compare, write_table
from lab.report.model import Result, load

EXAMPLES = """examples:
  mip6lab sweep handover --set ra_interval=0.05,0.5,3 --repeat 20
  mip6lab sweep ro-handover --set ro=on,off --set plane=bpf,user --repeat 5
  mip6lab sweep handover --set outage=0.01,0.1,1 --repeat 3 --out results/outages
  mip6lab compare results/sweep-handover                  its table once more
"""
TABLES = ("moves.csv", "moves.parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("scenario", metavar="SCENARIO", help="a name, see `mip6lab list`; FILE.py:NAME for your own")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=A,B",
        dest="values",
        help="a setting of the network with the values that it takes, such as outage=0.01,0.1 (repeat for more)",
    )
    parser.add_argument("--repeat", type=_times, default=3, metavar="N", help="how often each is played (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="what keys are drawn from the first time (default: 1)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder (default: results/sweep-SCENARIO)")
    add_kernel(parser)


def run(args: argparse.Namespace) -> int:
    """Play what is not played yet, then compare all; 0 only if all checks of all runs hold."""
    out = console()
    scenarios = find_scenarios(args.scenario)
    if len(scenarios) > 1:
        names = ", ".join(scenario.name for scenario in scenarios)
        raise ScenarioError(f"{args.scenario} has several scenarios; choose one by :NAME of {names}")
    (scenario,) = scenarios
    directory = (args.out or RESULTS / f"sweep-{scenario.name.replace('/', '-')}").resolve()
    sweep = Sweep(scenario=scenario.name, values=read_values(args.values), repeat=args.repeat, seed=args.seed)
    planned = points(sweep, scenario.settings, directory)
    planes: set[PlaneName] = {point.settings.plane for point in planned}
    kernel = choose_kernel(args, "mip6lab sweep", planes, netem=scenario.needs_netem)
    with made_for_user(directory), contextlib.ExitStack() as ending:
        resume(sweep, directory)
        if kernel.is_to_boot:
            return guest.run(same_inside(args, out, kernel, lent=[directory]))
        out.print(f"[dim]· {len(planned)} runs in {directory}; {kernel}[/]", soft_wrap=True)
        ending.callback(lambda: out.print("[dim]· what was played is kept; the same command goes on[/]"))

        def once(point: Point) -> Result:
            return run_experiment(
                scenario,
                settings=point.settings,
                seed=point.seed,
                directory=point.directory,
                kernel=kernel,
                progress=lambda _: None,
                on_record=lambda _: None,
            )

        play(planned, once, lambda text: out.print(f"[dim]· {text}[/]", soft_wrap=True))
        ending.pop_all()
        runs = [Run(directory=point.directory, result=load(point.directory)) for point in planned]
        for name in TABLES:
            write_table(runs, directory / name)
    show(compare(runs), out)
    tell_failures(runs, out)
    out.print(f"each move of each run: {', '.join(str(directory / name) for name in TABLES)}", soft_wrap=True)
    return 0 if all(run.result.ok for run in runs) else 1


def _times(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of times; at least 1 is wanted")
    return int(text)
