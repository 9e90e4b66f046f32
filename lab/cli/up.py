"""Bring a network up and open Mininet's prompt on it, with the lab's own commands added.

What Mininet's prompt knows works: `mn ping cn`, `nodes`, `net`, `xterm mn`. The lab adds `move`, `bindings`, `stream`
and others; `help` lists all, and Tab completes commands, nodes and links. Leave by `exit` or Ctrl-D. `mip6lab web` and
`mip6lab watch`, in another terminal, show what goes on.
"""

import argparse
import contextlib
from pathlib import Path

from rich.markup import escape

from lab.cli.choice import add_kernel, choose_kernel, same_inside
from lab.cli.common import add_settings, console, made_for_user, settings_of
from lab.cli.web import add_web, beside, wants_web
from lab.emulation import terminal
from lab.emulation.lab_control import LabControl
from lab.emulation.network import Network
from lab.emulation.operations import Operations
from lab.emulation.prompt import Prompt
from lab.emulation.scenario import find_topology

EXAMPLES = """examples:
  mip6lab up two_visited_links
  mip6lab up two_mobile_nodes                           each the other's correspondent
  mip6lab up two_visited_links --set ro=off             by the tunnel alone
  mip6lab up my_campus.py --set dad=standard
  mip6lab up two_visited_links --web                    drive it in a browser as well
  mip6lab up two_visited_links --out results/by-hand    keep captures and logs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("topology", metavar="TOPOLOGY", help="a name, see `mip6lab list`, or a file of your own")
    add_settings(parser)
    add_kernel(parser)
    add_web(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for captures and logs (default: not kept)")


def run(args: argparse.Namespace) -> int:
    """Bring the network up, serve the prompt, take everything down."""
    topology = find_topology(args.topology)
    settings = settings_of(args)
    out = console()
    kernel = choose_kernel(args, "mip6lab up", [settings.plane], netem=topology().needs_netem, web=wants_web(args))
    directory = None if args.out is None else args.out.resolve()
    with made_for_user(directory) if directory else contextlib.nullcontext():
        if directory:
            directory.mkdir(parents=True, exist_ok=True)
        if kernel.is_to_boot:
            return terminal.attend(same_inside(args, out, kernel, lent=[directory] if directory else []))
        out.print(f"[dim]{escape(topology.__doc__ or '')}[/]")
        out.print("[dim]· bringing it up[/]")
        with Network(topology, settings=settings, directory=directory) as network:
            out.print(f"[dim]· {kernel}; {escape(str(network.context.plane))}[/]")
            network.start()
            out.print("[dim]· up; try: move mn visited1, mn ping -c 3 cn, bindings, events; exit ends[/]")
            operations = Operations(network)
            with LabControl(operations, topology=args.topology) as control, beside(args, control.path, out):
                Prompt(network, operations=operations)
    return 0
