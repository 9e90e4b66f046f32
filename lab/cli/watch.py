"""Show what goes on in a running lab as text: messages as they come, bindings when they change.

The lab is one that `mip6lab up` or `mip6lab run` has brought up, in another terminal say. On a terminal, the bindings
of now stand below; into a file or a pipe go plain lines alone. Ends with the lab, or by Ctrl-C.
"""

import argparse
import contextlib
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.text import Text as Styled

from lab.cli.common import add_lab, chosen_lab, console, need_root
from lab.daemon.control import CommandError
from lab.web.observer import Observer
from lab.web.text import Line, Text

LOOK_EVERY = 0.1
EXAMPLES = """examples:
  mip6lab watch
  mip6lab watch --events             what nodes report as well
  mip6lab watch --lab 4711           where several labs run
  mip6lab watch | tee handover.txt
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_lab(parser)
    parser.add_argument("--events", action="store_true", help="show what nodes report as well, see docs/events.md")


def run(args: argparse.Namespace) -> int:
    """Show until the lab ends."""
    need_root("mip6lab watch")
    out = console()
    text = Text(events=args.events)
    shown: list[str] = []
    with Observer(chosen_lab(args)) as observer, _below(out) as below, contextlib.suppress(CommandError):
        while True:
            for line in text.take(observer.look(), time.monotonic()):
                out.print(_styled(line), soft_wrap=True)
            if below is not None and text.bindings != shown:
                shown = [*text.bindings]
                below.update(Styled("\n".join(shown), style="cyan"), refresh=True)
            time.sleep(LOOK_EVERY)
    out.print("[dim]· the lab has ended[/]")
    return 0


@contextlib.contextmanager
def _below(out: Console) -> Iterator[Live | None]:
    """Give what stands below the lines; None where the output is no terminal."""
    if not out.is_terminal:
        yield None
        return
    with Live(console=out, auto_refresh=False, transient=True) as live:
        yield live


def _styled(line: Line) -> Styled:
    when = " " * 10 if line.time is None else f"{line.time:10.3f}"
    style = "bold red" if line.lost else "cyan" if line.time is None else ""
    who = f"  {line.node:<5} " if line.time is not None else "  "
    return Styled.assemble((when, "dim"), (who, "bold"), (line.text.rstrip(), style))
