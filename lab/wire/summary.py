"""A message in one line, for journals and ladders."""

import re

from lab.wire.icmpv6 import NeighborAdvertisement, NeighborSolicitation
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingUpdate,
    BindingUpdateFlag,
    UnknownMobilityMessage,
)
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import Payload

_LETTERS = {
    BindingUpdateFlag.ACKNOWLEDGE: "A",
    BindingUpdateFlag.HOME_REGISTRATION: "H",
    BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY: "L",
    BindingUpdateFlag.KEY_MANAGEMENT_MOBILITY_CAPABILITY: "K",
}


def name(payload: Payload) -> str:
    """Name a message as RFC 6275 does."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(payload).__name__).replace("Care Of", "Care-of")


def summary(payload: Payload) -> str:
    """Name a message and say what matters in it."""
    match payload:
        case BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options):
            letters = "".join(letter for flag, letter in _LETTERS.items() if flag & flags)
            care_of = [f", care-of {o.address}" for o in options if isinstance(o, AlternateCareOfAddress)]
            return f"Binding Update #{sequence} {letters} lifetime {lifetime} s" + "".join(care_of)
        case BindingAcknowledgement(sequence=sequence, status=status, lifetime=lifetime):
            return f"Binding Acknowledgement #{sequence} status {status} lifetime {lifetime} s"
        case BindingError(status=status, home_address=home_address):
            return f"Binding Error status {status} for {home_address}"
        case UnknownMobilityMessage(mh_type=mh_type):
            return f"Mobility Header of unknown type {mh_type}"
        case NeighborSolicitation(target=target) | NeighborAdvertisement(target=target):
            return f"{name(payload)} for {target}"
        case _:
            return name(payload)
