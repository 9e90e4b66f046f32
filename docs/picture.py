"""Take a picture of a command in a terminal, as SVG.

lab/bootstrap python docs/picture.py --head 33 --tail 14 docs/handover.svg mip6lab run handover
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 124


def main() -> int:
    """Run the command, keep the beginning and the end of what it prints, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--head", type=int, default=1000, metavar="LINES")
    parser.add_argument("--tail", type=int, default=0, metavar="LINES")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    done = subprocess.run(args.command, env=environment, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    lines = done.stdout.replace(f"{Path.cwd()}/", "").splitlines()
    if len(lines) > args.head + args.tail:
        lines = [*lines[: args.head], "\x1b[2m  ⋮\x1b[0m", *lines[len(lines) - args.tail :]]
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(f"[bold]$[/] lab/bootstrap {shlex.join(args.command)}")
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True, crop=True, no_wrap=True, overflow="ellipsis")
    svg = console.export_svg(title="mip6lab")
    # The reader's own monospace font will do; nothing is to be fetched from elsewhere.
    svg = re.sub(r"@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    args.picture.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
