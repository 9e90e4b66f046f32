"""A message in one line, for journals and ladders."""

import re
from functools import cache

from lab.constants import BindingErrorStatus, Status
from lab.events import text
from lab.wire.icmpv6 import (
    DestinationUnreachable,
    EchoReply,
    EchoRequest,
    HomeAgentAddressDiscoveryReply,
    MobilePrefixAdvertisement,
    NeighborAdvertisement,
    NeighborSolicitation,
    PacketTooBig,
    ParameterProblem,
    RouterAdvertisement,
    TimeExceeded,
    UnknownIcmpv6Message,
)
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingUpdate,
    BindingUpdateFlag,
    CareOfTest,
    HomeTest,
    UnknownMobilityMessage,
)
from lab.wire.multicast_listener import (
    MulticastListenerDone,
    MulticastListenerQuery,
    MulticastListenerReport,
    MulticastListenerReportV1,
)
from lab.wire.neighbor import NeighborOption, PrefixInformation
from lab.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    BindingRefreshAdvice,
    MobilityOption,
    NonceIndices,
    UnknownOption,
)
from lab.wire.packet import UDP, Datagram, OpaquePayload, Packet, Payload

_FLAG_LETTERS = {
    BindingUpdateFlag.ACKNOWLEDGE: "A",
    BindingUpdateFlag.HOME_REGISTRATION: "H",
    BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY: "L",
    BindingUpdateFlag.KEY_MANAGEMENT_MOBILITY_CAPABILITY: "K",
}
_UPPER_LAYERS = {6: "TCP", UDP: "UDP", 50: "ESP", 51: "AH", 59: "nothing"}


def name(payload: Payload) -> str:
    """Name a message as its RFC does."""
    match payload:
        case Packet():
            return "Tunnelled packet"
        case Datagram():
            return _UPPER_LAYERS[UDP]
        case OpaquePayload(next_header=next_header):
            return _UPPER_LAYERS.get(next_header, f"Payload of next header {next_header}")
        case UnknownMobilityMessage(mh_type=mh_type):
            return f"Mobility Header of unknown type {mh_type}"
        case UnknownIcmpv6Message(icmpv6_type=icmpv6_type):
            return f"ICMPv6 message of type {icmpv6_type}"
        case _:
            return _words(type(payload).__name__)


def summary(payload: Payload) -> str:
    """Name a message and say what matters in it."""
    return name(payload) + _details(payload)


@cache
def _words(class_name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name).replace("Care Of", "Care-of")


def _details(payload: Payload) -> str:
    match payload:
        case BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options):
            letters = _letters(flags)
            return f" #{sequence} {letters + ' ' if letters else ''}lifetime {lifetime} s{_options(options)}"
        case BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime, options=options):
            key = " K" if payload.key_management_mobility_capability else ""
            return f" #{sequence} {_status(status, Status)}{key} lifetime {lifetime} s{_options(options)}"
        case BindingError(status=status, home_address=home_address, options=options):
            return f" {_status(status, BindingErrorStatus)} for {text(home_address)}{_options(options)}"
        case HomeTest(nonce_index=index, options=options) | CareOfTest(nonce_index=index, options=options):
            return f" nonce index {index}{_options(options)}"
        case NeighborSolicitation(target=target):
            return f" for {target}"
        case NeighborAdvertisement(target=target, router=router, solicited=solicited, override=override):
            letters = "R" * router + "S" * solicited + "O" * override
            return f" for {target}{' ' + letters if letters else ''}"
        case RouterAdvertisement(router_lifetime=lifetime, home_agent=home_agent, options=options):
            return f" {'H ' if home_agent else ''}lifetime {lifetime} s{_prefixes(options)}"
        case MobilePrefixAdvertisement(options=options):
            return _prefixes(options)
        case HomeAgentAddressDiscoveryReply(addresses=addresses):
            return "".join(f", {address}" for address in addresses)
        case DestinationUnreachable(code=code) | TimeExceeded(code=code) | UnknownIcmpv6Message(code=code):
            return f" code {code}"
        case ParameterProblem(code=code, pointer=pointer):
            return f" code {code} at {pointer}"
        case PacketTooBig(mtu=mtu):
            return f" MTU {mtu}"
        case EchoRequest(sequence=sequence) | EchoReply(sequence=sequence):
            return f" #{sequence}"
        case MulticastListenerQuery(group=group):
            return "" if group.is_unspecified else f" for {group}"
        case MulticastListenerReportV1(group=group) | MulticastListenerDone(group=group):
            return f" for {group}"
        case MulticastListenerReport(records=records):
            return "".join(f", {record.group}" for record in records)
        case Packet(source=source, destination=destination, payload=inner):
            return f" {source} → {destination}: {summary(inner)}"
        case Datagram(source_port=source_port, destination_port=destination_port, data=data):
            return f" {source_port} → {destination_port}, {len(data)} octets"
        case OpaquePayload(data=data):
            return f", {len(data)} octets"
        case _:
            return ""


@cache
def _letters(flags: BindingUpdateFlag) -> str:
    return "".join(letter for flag, letter in _FLAG_LETTERS.items() if flag in flags)


@cache
def _status(status: int, known: type[Status | BindingErrorStatus]) -> str:
    try:
        return f"status {status} ({known(status).name.lower().replace('_', ' ')})"
    except ValueError:
        return f"status {status}"


def _options(options: tuple[MobilityOption, ...]) -> str:
    return "".join(f", {_option(option)}" for option in options)


def _option(option: MobilityOption) -> str:
    match option:
        case AlternateCareOfAddress(address=address):
            return f"alternate care-of {text(address)}"
        case BindingRefreshAdvice(refresh_interval=interval):
            return f"refresh within {interval} s"
        case NonceIndices(home=home, care_of=care_of):
            return f"nonce indices {home} and {care_of}"
        case BindingAuthorizationData():
            return "authorization data"
        case UnknownOption(option_type=option_type):
            return f"option of unknown type {option_type}"


def _prefixes(options: tuple[NeighborOption, ...]) -> str:
    prefixes = (option for option in options if isinstance(option, PrefixInformation))
    return "".join(f", {prefix.prefix}/{prefix.prefix_length}" for prefix in prefixes)
