"""Work with the lab on other machines: SSH hosts and machines of Vagrant, a class of them at once.

Machines are kept in a file, by default ~/.config/mip6lab/machines.toml. Keys come from ssh-agent, ~/.ssh or `add -i`;
passwords are neither asked for nor kept. Host keys are those of ~/.ssh/known_hosts. One machine that fails stops none.
"""

import argparse
import contextlib
import csv
import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.common import MARKS, RESULTS, console
from lab.errors import ConfigError, RemoteError
from lab.remote import parcel, work
from lab.remote.fleet import AT_ONCE, Fleet, Outcome
from lab.remote.grade import Grade, Played, examine, grade
from lab.remote.machines import FOLDER, Machine, Machines, SshHost, VagrantMachine, machines_file, parse_destination
from lab.remote.session import Access, Session
from lab.remote.tunnel import LOOPBACK, tunnel
from lab.report.recheck import contradictions
from lab.verify.check import Verdict

EXAMPLES = """examples:
  mip6lab remote add alice student@lab1.example.org       then bob, carol, …
  mip6lab remote add box --vagrant debian                 a machine of the Vagrantfile here
  mip6lab remote list --try                               who can be reached
  mip6lab remote provision                                the lab onto all of them
  mip6lab remote run alice bob -- handover --set ro=on    results come to results/alice, results/bob
  mip6lab remote grade --scenario handover --csv > class.csv
  mip6lab remote capture alice home | wireshark -k -i -
  mip6lab remote web alice                                its live page, here

`mip6lab remote SUBCOMMAND --help` says more about each.
"""
WEB_PORT = 6275
SCENARIO = "handover"
OK, NOT_OK = MARKS[Verdict.PASSED], MARKS[Verdict.FAILED]


class _UpToDashes(argparse.ArgumentParser):
    """Leaves what is behind `--` alone: those words are for a command over there."""

    def parse_known_args(  # type: ignore[override] # the way it is called, of several
        self, args: Any = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Take words up to `--`; `behind` of the namespace has the rest."""
        words = [*(args or [])]
        at = words.index("--") if "--" in words else len(words)
        namespace, rest = super().parse_known_args(words[:at], namespace)
        namespace.behind = words[at + 1 :]
        return namespace, rest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands with their options."""
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND", dest="subcommand", required=True, parser_class=_UpToDashes)
    for name, (purpose, declare, perform) in SUBCOMMANDS.items():
        made = subparsers.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        made.set_defaults(perform=perform)
        made.add_argument(
            "--machines-file", type=Path, default=machines_file(), metavar="FILE", help="default: %(default)s"
        )
        declare(made)


def run(args: argparse.Namespace) -> int:
    """Do what the subcommand says; give its exit status."""
    if args.behind and args.subcommand != "run":
        raise ConfigError(f"mip6lab remote {args.subcommand} takes nothing behind --")
    return int(args.perform(args))


def _add_machines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("machines", nargs="*", metavar="NAME", help="default: all")


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="DIR", help="results come to DIR/NAME (default: %(default)s)"
    )


def _add_within(parser: argparse.ArgumentParser, *, default: float) -> None:
    parser.add_argument(
        "--within",
        type=_positive,
        default=default,
        metavar="MINUTES",
        help="what one scenario, or setting up, may take; then it is ended (default: %(default)g)",
    )


def _add_access(parser: argparse.ArgumentParser, *, several: bool = True) -> None:
    parser.add_argument("--accept-new", action="store_true", help="take the key of a host that is new, and keep it")
    parser.add_argument(
        "--known-hosts",
        type=Path,
        default=Path.home() / ".ssh" / "known_hosts",
        metavar="FILE",
        help="keys of hosts (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=_positive,
        default=10.0,
        metavar="SECONDS",
        help="that a machine has to answer (default: %(default)g)",
    )
    if several:
        parser.add_argument(
            "--at-once",
            type=_at_least_one,
            default=AT_ONCE,
            metavar="N",
            help="how many machines at a time (default: %(default)s)",
        )


def _declare_add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("destination", nargs="?", metavar="USER@HOST[:PORT]", help="as ssh has it; IPv6 in brackets")
    parser.add_argument("--vagrant", metavar="MACHINE", help="a machine of a Vagrantfile instead")
    parser.add_argument(
        "--project", type=Path, metavar="DIR", help="the folder of that Vagrantfile (default: this one)"
    )
    parser.add_argument("-i", type=Path, metavar="KEY", dest="key", help="a private key (default: ssh-agent, ~/.ssh)")
    parser.add_argument("--folder", default=FOLDER, help="of the lab over there, from its home (default: %(default)s)")


def _add(args: argparse.Namespace) -> int:
    if (args.destination is None) == (args.vagrant is None):
        raise ConfigError("say where it is: USER@HOST[:PORT], or --vagrant MACHINE")
    if args.vagrant is not None and args.key is not None:
        raise ConfigError("Vagrant tells the key of its machine itself: leave -i out")
    place: SshHost | VagrantMachine
    if args.vagrant is None:
        place = parse_destination(args.destination, args.key.expanduser().resolve() if args.key else None)
    else:
        place = VagrantMachine(machine=args.vagrant, project=(args.project or Path.cwd()).resolve())
    machine = Machine(name=args.name, place=place, folder=args.folder.removeprefix("~/"))
    Machines(args.machines_file).add(machine)
    print(f"{machine.name}: {machine.place}; next: mip6lab remote provision {machine.name}")
    return 0


def _declare_remove(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("machines", nargs="+", metavar="NAME")


def _remove(args: argparse.Namespace) -> int:
    Machines(args.machines_file).remove(args.machines)
    return 0


def _declare_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--try", action="store_true", dest="attempt", help="connect, and tell what is there")
    _add_access(parser)


def _list(args: argparse.Namespace) -> int:
    machines = Machines(args.machines_file).named([])
    rows = [[machine.name, str(machine.place), machine.folder] for machine in machines]
    if not args.attempt:
        _print_table(["name", "where", "folder"], rows)
        return 0
    outcomes = _fleet(args, machines).each(work.describe)
    for row, outcome in zip(rows, outcomes, strict=True):
        row.append(outcome.value or f"✗ {outcome.fault}")
    _print_table(["name", "where", "folder", "what is there"], rows)
    return 1 if any(outcome.fault for outcome in outcomes) else 0


def _declare_provision(parser: argparse.ArgumentParser) -> None:
    _add_machines(parser)
    parser.add_argument("--update", action="store_true", help="over a checkout that is there: changes in it are lost")
    _add_within(parser, default=30.0)
    _add_access(parser)


def _provision(args: argparse.Namespace) -> int:
    archive = parcel.pack(parcel.files_of(parcel.checkout()))
    out = console()

    def task(session: Session) -> None:
        say = _prefixed(out, session.machine)
        work.provision(session, archive, update=args.update, within=args.within * 60, say=say)

    outcomes = _fleet(args, _chosen(args)).each(task, lambda outcome: _tell_fault(outcome, out))
    return _summary(outcomes, out, "ready")


def _declare_run(parser: argparse.ArgumentParser) -> None:
    parser.usage = "mip6lab remote run [-h] [options] NAME [NAME ...] -- SCENARIO [options of mip6lab run]"
    parser.epilog = "A file FILE.py of this machine may stand for SCENARIO; it is brought along."
    parser.add_argument("machines", nargs="+", metavar="NAME")
    _add_out(parser)
    _add_access(parser)


def _run(args: argparse.Namespace) -> int:
    if not args.behind:
        raise ConfigError("say what to play: mip6lab remote run NAME... -- SCENARIO")
    if "--out" in args.behind:
        raise ConfigError("results come back to --out of mip6lab remote run, before the --")
    out = console()
    files = [Path(word) for word in args.behind if _is_file(word)]
    words = [Path(word).name if _is_file(word) else word for word in args.behind]

    def task(session: Session) -> None:
        name = session.machine.name
        status, last = work.play(session, words, files, within=None, say=_prefixed(out, session.machine))
        brought = work.bring_back(session, args.out / name)
        if brought:
            out.print(f"{escape(name)}: results are in {escape(str(args.out / name))}", soft_wrap=True)
        if status != 0:
            raise RemoteError(f"status {status}: {last}")

    outcomes = _fleet(args, _chosen(args)).each(task, lambda outcome: _tell_fault(outcome, out))
    return _summary(outcomes, out, "passed")


def _declare_fetch(parser: argparse.ArgumentParser) -> None:
    _add_machines(parser)
    _add_out(parser)
    _add_access(parser)


def _fetch(args: argparse.Namespace) -> int:
    out = console()

    def task(session: Session) -> None:
        folder = args.out / session.machine.name
        files = work.bring_back(session, folder, everything=True)
        _prefixed(out, session.machine)(f"{len(files)} files, now in {folder}")

    outcomes = _fleet(args, _chosen(args)).each(task, lambda outcome: _tell_fault(outcome, out))
    return _summary(outcomes, out, "fetched")


def _declare_capture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("machine", metavar="NAME")
    parser.add_argument("link", metavar="LINK")
    _add_access(parser, several=False)


def _capture(args: argparse.Namespace) -> int:
    if sys.stdout.isatty():
        command = f"mip6lab remote capture {args.machine} {args.link}"
        raise ConfigError(f"a capture is nothing for a terminal: {command} | wireshark -k -i -")
    (machine,) = Machines(args.machines_file).named([args.machine])

    def say(octets: bytes) -> None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()

    def complain(octets: bytes) -> None:
        sys.stderr.buffer.write(octets)
        sys.stderr.buffer.flush()

    with _named(machine), Session(machine, _access(args)) as session:
        return work.capture(session, args.link, said=say, complained=complain)


def _declare_web(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("machine", metavar="NAME")
    parser.add_argument("--port", type=_port, default=WEB_PORT, help="here (default: %(default)s; 0: any)")
    parser.add_argument("--web-port", type=_port, default=WEB_PORT, metavar="PORT", help="there (default: %(default)s)")
    _add_access(parser, several=False)


def _web(args: argparse.Namespace) -> int:
    (machine,) = Machines(args.machines_file).named([args.machine])
    with _named(machine), Session(machine, _access(args)) as session, contextlib.suppress(KeyboardInterrupt):
        with tunnel(session, here=args.port, there=args.web_port) as port:
            print(f"http://{LOOPBACK}:{port}/ is the live page of {machine.name}; Ctrl-C ends", flush=True)
            while session.transport.is_active():
                time.sleep(0.2)
        raise RemoteError("the connection broke")
    return 0


def _declare_grade(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The exit status is 0 if all machines passed, else 1. What captures prove is judged here."
    _add_machines(parser)
    parser.add_argument(
        "--scenario",
        action="append",
        metavar="SCENARIO",
        dest="played",
        help=f"a name, or FILE.py of this machine (repeat for more; default: {SCENARIO})",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, everything else on stderr")
    form.add_argument("--csv", action="store_true", help="print CSV, everything else on stderr")
    _add_within(parser, default=15.0)
    _add_out(parser)
    _add_access(parser)


def _grade(args: argparse.Namespace) -> int:
    scenarios = [Path(word) if _is_file(word) else word for word in args.played or [SCENARIO]]
    machines = _chosen(args)
    out = console(quiet=args.json or args.csv)

    def task(session: Session) -> list[Played]:
        say = _prefixed(out, session.machine)
        into = args.out / session.machine.name
        return examine(session, scenarios, into, within=args.within * 60, judge=contradictions, say=say)

    left = itertools.count(len(machines) - 1, -1)

    def done(outcome: Outcome[list[Played]]) -> None:
        word = "passed" if grade(outcome).passed else "failed"
        _prefixed(out, outcome.machine)(f"{word}; {next(left)} to go")

    grades = [grade(outcome) for outcome in _fleet(args, machines).each(task, done)]
    _show(grades, out)
    if args.json:
        print(json.dumps({"scenarios": [*map(str, scenarios)], "machines": [*map(asdict, grades)]}, indent=2))
    elif args.csv:
        _write_csv(grades)
    return 0 if all(it.passed for it in grades) else 1


def _access(args: argparse.Namespace) -> Access:
    return Access(known_hosts=args.known_hosts, accept_new=args.accept_new, patience=args.timeout)


def _chosen(args: argparse.Namespace) -> list[Machine]:
    return Machines(args.machines_file).named(args.machines)


def _fleet(args: argparse.Namespace, machines: Sequence[Machine]) -> Fleet:
    return Fleet(machines, _access(args), at_once=args.at_once)


@contextlib.contextmanager
def _named(machine: Machine) -> Iterator[None]:
    """Have errors name the machine."""
    try:
        yield
    except RemoteError as error:
        raise RemoteError(f"{machine.name}: {error}") from error


def _prefixed(out: Console, machine: Machine) -> Callable[[str], None]:
    """Give what prints a line under the name of a machine."""
    return lambda line: out.print(f"[cyan]{escape(machine.name)}[/] [dim]│[/] {escape(line)}", soft_wrap=True)


def _tell_fault(outcome: Outcome[Any], out: Console) -> None:
    if outcome.fault is not None:
        _prefixed(out, outcome.machine)(f"✗ {outcome.fault}")


def _summary(outcomes: Sequence[Outcome[Any]], out: Console, word: str) -> int:
    """Say how many machines are well; 0 if all are, else 1."""
    well = sum(outcome.fault is None for outcome in outcomes)
    out.print(f"{well} of {len(outcomes)} machines {word}")
    return 0 if well == len(outcomes) else 1


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*header, box=None, header_style="dim")
    for row in rows:
        table.add_row(*map(escape, row))
    console().print(table)


def _is_file(word: str) -> bool:
    return word.endswith(".py") and Path(word).is_file()


def _positive(word: str) -> float:
    if not (value := float(word)) > 0 or math.isinf(value):
        raise argparse.ArgumentTypeError(f"{word} is not above 0")
    return value


def _at_least_one(word: str) -> int:
    if (value := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is not at least 1")
    return value


def _port(word: str) -> int:
    if not 0 <= (value := int(word)) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{word} is no port")
    return value


def _show(grades: Sequence[Grade], out: Console) -> None:
    table = Table("machine", "reached", "finished", "passed", "checks that do not hold", box=None, header_style="dim")
    table.add_column("minutes", justify="right")
    for it in grades:
        marks = [OK if holds else NOT_OK for holds in (it.reachable, it.finished, it.passed)]
        wrong = "\n".join([*it.failed, *([it.fault] if it.fault else [])])
        table.add_row(escape(it.machine), *marks, escape(wrong), f"{it.minutes:.1f}")
    out.print(table)
    out.print(f"{sum(it.passed for it in grades)} of {len(grades)} machines passed")


def _write_csv(grades: Sequence[Grade]) -> None:
    rows = [asdict(it) | {"failed": " ".join(it.failed)} for it in grades]
    writer = csv.DictWriter(sys.stdout, fieldnames=[*Grade.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


Declare = Callable[[argparse.ArgumentParser], None]
Perform = Callable[[argparse.Namespace], int]
SUBCOMMANDS: dict[str, tuple[str, Declare, Perform]] = {
    "add": ("remember a machine", _declare_add, _add),
    "list": ("list the machines", _declare_list, _list),
    "remove": ("forget machines", _declare_remove, _remove),
    "provision": (
        "bring this checkout to machines and set it up there, by lab/bootstrap",
        _declare_provision,
        _provision,
    ),
    "run": ("play scenarios on machines, and bring the results back", _declare_run, _run),
    "fetch": ("bring back all results that machines have", _declare_fetch, _fetch),
    "capture": ("write what a link of a running lab carries to standard output, as pcapng", _declare_capture, _capture),
    "web": ("lead a port of this machine to the live page of a machine", _declare_web, _web),
    "grade": ("play scenarios on all machines; tell who has finished and passed", _declare_grade, _grade),
}
