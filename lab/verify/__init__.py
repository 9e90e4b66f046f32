"""Rules of RFC 6275 that captures are checked against, with Scapy and never with our own codec."""

from collections.abc import Sequence
from pathlib import Path

from lab.verify import (
    correspondent_registration,
    dhcpv6,
    direct_path,
    discovery,
    home_link,
    mobility_header,
    movement_and_tunnels,
    multicast,
    prefix_discovery,
    protection,
    registration,
    return_routability,
)
from lab.verify.check import Check, Evidence, Verdict
from lab.verify.esp import AssociationError, read_associations, tables_beside
from lab.verify.rules import RULES
from lab.verify.session import Session
from lab.verify.trace import CaptureError, read

__all__ = [
    "RULES",
    "AssociationError",
    "CaptureError",
    "Check",
    "Evidence",
    "Verdict",
    "judge",
    "open_session",
    "verify",
]

RULE_FILES = (
    mobility_header,
    registration,
    home_link,
    movement_and_tunnels,
    return_routability,
    correspondent_registration,
    direct_path,
    discovery,
    protection,
    multicast,
    prefix_discovery,
    dhcpv6,
)


def verify(captures: Sequence[Path], esp_sa: Path | None = None) -> list[Check]:
    """Judge captures, of one run, by every rule; raises `CaptureError` and `AssociationError`.

    ESP is opened by the associations of a table of Wireshark's; unless one is given, by those beside the captures.
    """
    return judge(open_session(captures, esp_sa))


def open_session(captures: Sequence[Path], esp_sa: Path | None = None) -> Session:
    """Read captures, and the associations as `verify` does; raises `CaptureError` and `AssociationError`."""
    associations = read_associations([esp_sa] if esp_sa is not None else tables_beside(captures))
    return Session(frames=read(captures, associations), associations=associations)


def judge(session: Session) -> list[Check]:
    """Judge what was read by every rule."""
    return [rule.check(session) for rule in RULES]
