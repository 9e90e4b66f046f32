"""Show a running lab as a live page: the network, its packets, bindings and messages; who has the token drives.

The lab is one that `mip6lab up` or `mip6lab run` has brought up, in another terminal say. Any number of browsers may
watch; the address with the token also moves nodes, impairs links, kills and restarts daemons. Ends with the lab.
"""

import argparse
import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lab.cli.common import add_lab, chosen_lab, need_root
from lab.emulation.leftovers import environment
from lab.emulation.process import end
from lab.errors import MissingError

DEFAULT = "127.0.0.1:6275"
READY = "ready"
EXAMPLES = """examples:
  mip6lab web                              the one lab that runs, at http://127.0.0.1:6275/
  mip6lab web --lab 4711                   the lab of the process 4711, where several run
  mip6lab web --web-bind 0.0.0.0:6275      for the whole class: everybody in this network may watch
  mip6lab up two_visited_links --web       both together
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_lab(parser)
    add_bind(parser)


def add_bind(parser: argparse.ArgumentParser) -> None:
    """Declare `--web-bind`."""
    parser.add_argument(
        "--web-bind", metavar="ADDRESS:PORT", help=f"where the page is served, for whom that reaches ({DEFAULT})"
    )


def add_web(parser: argparse.ArgumentParser) -> None:
    """Declare `--web` and `--web-bind` of a command that brings a lab up; see `beside`."""
    parser.add_argument("--web", action="store_true", help=f"show a live page at http://{DEFAULT}/, see `mip6lab web`")
    add_bind(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until the lab ends."""
    # Not before it is needed: `run` and `up` import this module for its options.
    from lab.web.observer import Observer  # noqa: PLC0415
    from lab.web.server import Server, listen  # noqa: PLC0415

    need_root("mip6lab web")
    lab = chosen_lab(args)
    with listen(args.web_bind or DEFAULT) as listener, Observer(lab) as observer:
        server = Server(observer, lab, listener)
        watch, drive = _addresses(*listener.getsockname()[:2])
        print(f"watch: {watch}", flush=True)
        if not observer.playing:
            print(f"drive: {drive}#token={server.token.text}", flush=True)
        print(READY, flush=True)
        server.run()
    print("the lab has ended")
    return 0


def _addresses(address: str, port: int) -> tuple[str, str]:
    """Give where to watch and where to drive; where all addresses of this machine lead, watch by its name."""
    if ip_address(address).is_unspecified:
        return f"http://{socket.gethostname()}:{port}/", f"http://localhost:{port}/"
    base = f"http://{f'[{address}]' if ':' in address else address}:{port}/"
    return base, base


def wants_web(args: argparse.Namespace) -> bool:
    """Tell whether a command that brings a lab up is to show it as well."""
    return bool(args.web or args.web_bind)


@contextlib.contextmanager
def beside(args: argparse.Namespace, lab: Path, out: Console) -> Iterator[None]:
    """Where `--web` asks for it, serve the page for the block, in a process that takes no time of this one.

    Raises `MissingError` if that does not begin.
    """
    if not wants_web(args):
        yield
        return
    command = [sys.executable, "-P", "-m", "lab.cli.main", "web", "--lab", str(lab)]
    if args.web_bind:
        command += ["--web-bind", args.web_bind]
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C at the prompt is not for it
        env=environment(),
        text=True,
    ) as process:
        try:
            _show(process, out)
            yield
        finally:
            end([process])


def _show(process: "subprocess.Popen[str]", out: Console) -> None:
    """Print where the page is, once it is there."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == READY:
            return
        out.print(f"[dim]· page to[/] {escape(line.strip())}", soft_wrap=True)
    raise MissingError("the live page was not served; the line above says why")
