"""Rules about the Mobility Header itself, RFC 6275 §6.1 and §6.2."""

from collections.abc import Iterator
from typing import NamedTuple

from lab.verify.frame import MOBILITY, Frame
from lab.verify.mobility_options import FIXED, options
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

NO_NEXT_HEADER = 59
SMALLEST = 8


class _Format(NamedTuple):
    """What one type of message has before its options."""

    fixed: int
    """Octets before the options."""
    reserved: bytes
    """A mask of its reserved bits."""

    @property
    def smallest(self) -> int:
        """Octets of a message without options: a multiple of 8."""
        return self.fixed + -self.fixed % 8


ANY_TYPE = _Format(SMALLEST, bytes.fromhex("000000ff"))
FORMATS = {
    0: _Format(FIXED[0], bytes.fromhex("000000ff 0000ffff")),  # Binding Refresh Request, §6.1.2
    1: _Format(FIXED[1], bytes.fromhex("000000ff 0000ffff")),  # Home Test Init, §6.1.3
    2: _Format(FIXED[2], bytes.fromhex("000000ff 0000ffff")),  # Care-of Test Init, §6.1.4
    3: _Format(FIXED[3], bytes.fromhex("000000ff")),  # Home Test, §6.1.5
    4: _Format(FIXED[4], bytes.fromhex("000000ff")),  # Care-of Test, §6.1.6
    5: _Format(FIXED[5], bytes.fromhex("000000ff 00000000 0fff")),  # Binding Update, §6.1.7
    6: _Format(FIXED[6], bytes.fromhex("000000ff 0000007f")),  # Binding Acknowledgement, §6.1.8
    7: _Format(FIXED[7], bytes.fromhex("000000ff 000000ff")),  # Binding Error, §6.1.9
}
ALIGNMENTS = {
    2: (2, 0),  # Binding Refresh Advice, §6.2.4
    3: (8, 6),  # Alternate Care-of Address, §6.2.5
    4: (2, 0),  # Nonce Indices, §6.2.6
    5: (8, 2),  # Binding Authorization Data, §6.2.7
}
"""For each option x and y, for it begins at octet xn+y of the Mobility Header."""


def _headers(session: Session) -> Iterator[tuple[Frame, _Format]]:
    for frame in session.mobility_headers:
        if len(frame.payload) >= SMALLEST:
            yield frame, FORMATS.get(frame.payload[2], ANY_TYPE)


@rule("mh-checksum", "The checksum covers the pseudo-header with the home addresses", "6.1.1-a")
def checksum(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1."""
    for frame, _ in _headers(session):
        length = len(frame.payload).to_bytes(4, "big")
        summed = frame.sender.packed + frame.receiver.packed + length + bytes((0, 0, 0, MOBILITY)) + frame.payload
        summed += bytes(len(summed) % 2)
        total = sum(int.from_bytes(summed[i : i + 2], "big") for i in range(0, len(summed), 2))
        findings.judge(frame, total % 0xFFFF == 0, "wrong checksum")


@rule("mh-payload-proto", "Nothing follows a Mobility Header", "6.1.1-a")
def payload_proto(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1."""
    for frame, _ in _headers(session):
        findings.judge(frame, frame.payload[0] == NO_NEXT_HEADER, f"payload proto {frame.payload[0]}")


@rule("mh-reserved", "Reserved fields are zero", "6.1.1-b")
def reserved(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1 to §6.1.9."""
    for frame, form in _headers(session):
        wrong = any(octet & mask for octet, mask in zip(frame.payload, form.reserved, strict=False))
        findings.judge(frame, not wrong, "a reserved field is not zero")


@rule("mh-length", "The header length is that of the message, and enough for its type", "6.1.1-a")
def length(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1, §9.2."""
    for frame in session.mobility_headers:
        there = len(frame.payload)
        if there < SMALLEST:
            findings.judge(frame, False, f"only {there} octets")
            continue
        told = (frame.payload[1] + 1) * 8
        least = FORMATS.get(frame.payload[2], ANY_TYPE).smallest
        findings.judge(frame, told == there >= least, f"{told} octets told, {there} there, at least {least} needed")


@rule("mh-alignment", "Mobility options are aligned and end within the message", "6.2.1-a")
def alignment(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.2.1, §6.2.4 to §6.2.7."""
    for frame, form in _headers(session):
        if form is ANY_TYPE:
            continue
        for option in options(frame.payload, form.fixed):
            if option.end > len(frame.payload):
                findings.judge(frame, False, f"the option at {option.at} does not end within the message")
            elif option.kind in ALIGNMENTS:
                every, offset = ALIGNMENTS[option.kind]
                wrong = f"option {option.kind} at {option.at}, not at {every}n+{offset}"
                findings.judge(frame, option.at % every == offset, wrong)
