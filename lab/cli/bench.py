"""Run benchmarks: each compares with a baseline that is measured in turns with it, in the same run."""

import argparse
import dataclasses
import importlib
import json
import pkgutil
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import lab.bench
from lab.bench.measure import Benchmark, Machine, Row, Spread, Unit, machine
from lab.cli.choice import add_kernel, choose_kernel, same_inside
from lab.cli.common import console
from lab.daemon.config import PlaneName
from lab.emulation import guest
from lab.emulation.kernels import Choice, KernelName
from lab.errors import ConfigError
from lab.report import curves

EXAMPLES = """examples:
  mip6lab bench
  mip6lab bench codec --quick
  mip6lab bench bringup handover --json bench.json
  mip6lab bench nodes --quick            10 mobile nodes; without it 50 and 200 as well
  mip6lab bench planes                   a ratio of 1 is the speed of plain routing
  mip6lab bench planes --kernel guest    among them the one that Linux itself has
  mip6lab bench bindings --plot .        up to 100,000 bindings, and bindings.svg
"""
NEED_ROOT = {"bindings", "bringup", "handover", "nodes", "planes", "registrations", "verify"}
NOT_BENCHMARKS = {"measure", "moves", "raw_netlink"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(known())}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file as well")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw what grows with a size, as SVG, in a folder")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, not a result")
    add_kernel(parser, KernelName.HOST)  # whose figures are those of this machine


def run(args: argparse.Namespace) -> int:
    """Run the benchmarks and print a Markdown table."""
    names = args.names or known()
    for name in names:
        if name not in known():
            raise ConfigError(f"no benchmark {name}; known: {', '.join(known())}")
    if NEED_ROOT & set(names) or args.kernel == KernelName.GUEST:
        kernel = choose_kernel(args, "mip6lab bench " + " ".join(names), [PlaneName.AUTO], netem=False)
        if kernel.is_to_boot:
            return _run_in_guest(args, kernel)
    here = machine()
    results: list[Benchmark] = []
    for name in names:
        print(f"mip6lab: measuring {name}", file=sys.stderr)
        results.append(importlib.import_module(f"lab.bench.{name}").measure(args.quick))
    print(describe(here, quick=args.quick))
    print(table(results))
    print(parts(results), end="")
    if args.plot:
        plot(results, args.plot)
    if args.json:
        figures = {"machine": here, "quick": args.quick, "benchmarks": results}
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def _run_in_guest(args: argparse.Namespace, why: Choice) -> int:
    """Run the same command in a guest, and take its figures from there: it gets a folder of its own to write into."""
    with tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as folder:
        figures = Path(folder) / "figures.json"
        job = same_inside(args, console(quiet=True), why, lent=[Path(folder)])
        command = [*job.command, *(["--json", str(figures)] if args.json else [])]
        status = guest.run(dataclasses.replace(job, command=command, logs=()))
        if args.json and figures.exists():
            shutil.copyfile(figures, args.json)
        return status


def known() -> list[str]:
    """Name the benchmarks: the modules of `lab.bench`; packages are what some are made of."""
    modules = {module.name for module in pkgutil.iter_modules(lab.bench.__path__) if not module.ispkg}
    return sorted(modules - NOT_BENCHMARKS)


def describe(here: Machine, *, quick: bool) -> str:
    """Say where figures come from."""
    rounds = ", quick" if quick else ""
    return f"{here['processor']}, {here['cores']} cores, Linux {here['kernel']}, Python {here['python']}{rounds}\n"


def table(results: Sequence[Benchmark]) -> str:
    """Make a Markdown table; `ratio` is how many times better mip6lab is."""
    lines = ["| benchmark | what | baseline | its figure | mip6lab's | ratio |", "|---|---|---|---:|---:|---:|"]
    lines += [_line(result["name"], row) for result in results for row in result["rows"]]
    return "\n".join(lines)


def parts(results: Sequence[Benchmark]) -> str:
    """Make a Markdown list of what each sum is made of."""
    lines = []
    for result in results:
        for what, shares in result.get("parts", {}).items():
            times = {part: quantity(share, Unit.MICROSECONDS) for part, share in shares.items()}
            shown = " + ".join(f"{part.replace('_', ' ')} {time}" for part, time in times.items())
            lines.append(f"- {result['name']}, {what}: {shown} (medians)\n")
    return "\n" + "".join(lines) if lines else ""


def plot(results: Sequence[Benchmark], folder: Path) -> None:
    """Draw the curves of each benchmark that has some."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in results:
        for number, each in enumerate(result.get("curves", [])):
            file = folder / f"{result['name']}{number or ''}.svg"
            file.write_text(curves.draw(each["title"], each["x"], each["y"], each["series"]), encoding="utf-8")
            print(f"mip6lab: {file}", file=sys.stderr)


def quantity(figure: float, unit: Unit) -> str:
    """Show a figure in the multiple of its unit that reads best."""
    if unit is Unit.PER_SECOND:
        return f"{figure:,.3g}/s" if figure < 100 else f"{figure:,.0f}/s"
    for larger, size in _MULTIPLES[unit]:
        if figure >= size:
            return f"{figure / size:.3g} {larger}"
    return f"{figure:.3g} {unit}"


_MULTIPLES: Mapping[Unit, Sequence[tuple[str, float]]] = {
    Unit.MICROSECONDS: (("s", 1e6), ("ms", 1e3)),
    Unit.OCTETS: (("MiB", 1 << 20), ("KiB", 1 << 10)),
}


def _line(name: str, row: Row) -> str:
    unit = row["unit"]
    cells = [name, row["what"], row["baseline"], _spread(row["theirs"], unit), _spread(row["ours"], unit)]
    return f"| {' | '.join(cells)} | {row['ratio']:.3g} |"


def _spread(spread: Spread, unit: Unit) -> str:
    middle = quantity(spread["median"], unit)
    if spread["count"] == 1:
        return middle
    return f"{middle} ({quantity(spread['min'], unit)} to {quantity(spread['max'], unit)})"
