"""Rules of RFC 6275 that captures are checked against, with Scapy and never with our own codec."""

from collections.abc import Sequence
from pathlib import Path

from lab.verify import (
    correspondent_registration,
    direct_path,
    discovery,
    home_link,
    mobility_header,
    movement_and_tunnels,
    prefix_discovery,
    registration,
    return_routability,
)
from lab.verify.check import Check, Evidence, Verdict
from lab.verify.rules import RULES
from lab.verify.session import Session
from lab.verify.trace import CaptureError, read

__all__ = ["RULES", "CaptureError", "Check", "Evidence", "Verdict", "verify"]

RULE_FILES = (
    mobility_header,
    registration,
    home_link,
    movement_and_tunnels,
    return_routability,
    correspondent_registration,
    direct_path,
    discovery,
    prefix_discovery,
)


def verify(captures: Sequence[Path]) -> list[Check]:
    """Judge captures, of one run, by every rule; raises `CaptureError`."""
    session = Session(frames=read(captures))
    return [rule.check(session) for rule in RULES]
