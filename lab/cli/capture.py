"""Write what a link of a running lab carries to standard output, as pcapng, for Wireshark and the like.

It begins with the first packet that the link ever carried, and goes on until the lab ends or the reader has enough.
"""

import argparse
import sys

from lab.cli.common import need_root
from lab.emulation import live_capture
from lab.errors import ConfigError

EXAMPLES = """examples:
  mip6lab capture home | wireshark -k -i -
  mip6lab capture visited1 | tshark -r - -Y mipv6
  mip6lab capture core > core.pcapng
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("link", metavar="LINK", help="a link of the topology that was brought up last")


def run(args: argparse.Namespace) -> int:
    """Write until there is no more."""
    if sys.stdout.isatty():
        raise ConfigError(f"a capture is nothing for a terminal: mip6lab capture {args.link} | wireshark -k -i -")
    need_root("mip6lab capture")
    out = sys.stdout.buffer
    capture = live_capture.find(args.link)

    def write(octets: bytes) -> None:
        out.write(octets)
        out.flush()

    live_capture.follow(capture, write)
    return 0
