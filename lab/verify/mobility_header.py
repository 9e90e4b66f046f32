"""Rules about the Mobility Header itself, RFC 6275 §6.1 and §6.2."""

from scapy.layers.inet6 import MIP6MH_BU

from lab.verify.rules import Findings, rule
from lab.verify.session import BINDING_UPDATE, Session
from lab.verify.trace import MOBILITY

NO_NEXT_HEADER = 59
ALTERNATE_CARE_OF_ADDRESS = 3


@rule("mh-checksum", "The checksum covers the pseudo-header with the home addresses", "6.1.1-a")
def checksum(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1."""
    for frame in session.mobility:
        source = frame.home_address or frame.source
        destination = frame.routed_home_address or frame.destination
        pseudo = source.packed + destination.packed + len(frame.payload).to_bytes(4, "big") + bytes((0, 0, 0, MOBILITY))
        total = sum(
            int.from_bytes((pseudo + frame.payload)[i : i + 2], "big") for i in range(0, 40 + len(frame.payload), 2)
        )
        findings.judge(frame, total % 0xFFFF == 0, "wrong checksum")


@rule("mh-payload-proto", "Nothing follows a Mobility Header", "6.1.1-a")
def payload_proto(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1."""
    for frame in session.mobility:
        findings.judge(frame, frame.payload[0] == NO_NEXT_HEADER, f"payload proto {frame.payload[0]}")


@rule("mh-reserved", "Reserved fields are zero", "6.1.1-b")
def reserved(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1, §6.1.7."""
    for frame in session.mobility:
        zero = frame.payload[3] == 0
        if frame.payload[2] == BINDING_UPDATE:
            zero = zero and int.from_bytes(frame.payload[8:10], "big") & 0x0FFF == 0
        findings.judge(frame, zero, "a reserved field is not zero")


@rule("mh-length", "The header length is that of the message", "6.1.1-a")
def length(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.1."""
    for frame in session.mobility:
        told = (frame.payload[1] + 1) * 8
        findings.judge(frame, told == len(frame.payload), f"{told} octets told, {len(frame.payload)} there")


@rule("mh-alignment", "Alternate Care-of Address options are aligned at 8n+6", "6.2.1-a")
def alignment(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.2.5."""
    for frame in session.mobility:
        if frame.payload[2] != BINDING_UPDATE or MIP6MH_BU not in frame.packet:
            continue
        at, end = 12, len(frame.payload)
        while at + 2 <= end:
            if frame.payload[at] == 0:
                at += 1
                continue
            if frame.payload[at] == ALTERNATE_CARE_OF_ADDRESS:
                findings.judge(frame, at % 8 == 6, f"option at {at}")
            at += 2 + frame.payload[at + 1]
