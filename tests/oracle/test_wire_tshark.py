"""tshark reads what we and Scapy write, field by field, and finds nothing malformed.

tshark is slow to start: all packets go into one capture, read once.
"""

import csv
import shutil
import struct
import subprocess
from contextlib import suppress
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.constants import LIFETIME_UNIT
from lab.wire import icmpv6 as i6
from lab.wire import mobility as mh
from lab.wire import multicast_listener as ml
from lab.wire import neighbor as nd
from lab.wire import options as mo
from lab.wire.mobility import BindingUpdateFlag as Flag
from lab.wire.packet import Datagram, OpaquePayload, Packet, RoutingHeaderType2, build
from tests.fuzz.wire_packets import icmpv6_messages, mobility_messages, u8
from tests.oracle.scapy_packets import to_scapy
from tests.oracle.test_wire_scapy import home_address_headers, in_scapys_terms, routing_headers
from tests.vectors.test_wire_vectors import HOME_ADDRESS, VECTORS, packet_of

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: apt install tshark")

Fields = dict[str, str]
"""Names of tshark and what it prints; several values are joined by commas."""

RAW_IPV6 = 229
FIRST_OPTION_UNKNOWN_TO_TSHARK = 100
NO_FAULT = {"_ws.malformed": ""}
CHECKSUM_IS_GOOD = "1"


def bit(value: bool) -> str:
    return "1" if value else "0"


def cookie(value: bytes) -> str:
    return f"0x{value.hex()}"


def decoded(code: int, mantissa_bits: int) -> int:
    """Give what a code of a query stands for, which tshark prints: above half its range, a floating-point value.

    So it is with the Maximum Response Code (RFC 3810 §5.1.3) and the Querier's Query Interval Code (§5.1.9).
    """
    leading_one = 1 << mantissa_bits
    if code < leading_one << 3:
        return code
    return (code & leading_one - 1 | leading_one) << ((code >> mantissa_bits & 7) + 3)


def fields_of(packet: Packet) -> Fields:
    """Say what tshark has to print about a packet."""
    addresses: Fields = {
        "ipv6.src": str(packet.source),
        "ipv6.dst": str(packet.destination),
        "ipv6.hlim": str(packet.hop_limit),
        "ipv6.tclass": f"0x{packet.traffic_class:02x}",
        "ipv6.flow": f"0x{packet.flow_label:06x}",
    }
    for name, address in (
        ("ipv6.opt.mipv6.home_address", packet.home_address),
        ("ipv6.routing.mipv6.home_address", packet.routed_home_address),
    ):
        addresses[name] = "" if address is None else str(address)
    return NO_FAULT | addresses | mobility_fields(packet.payload) | icmpv6_fields(packet.payload)


def mobility_fields(payload: object) -> Fields:
    match payload:
        case mh.BindingRefreshRequest(options=options):
            return {"mip6.mhtype": "0"} | option_fields(options)
        case mh.HomeTestInit(cookie=value, options=options):
            return {"mip6.mhtype": "1", "mip6.hoti.cookie": cookie(value)} | option_fields(options)
        case mh.CareOfTestInit(cookie=value, options=options):
            return {"mip6.mhtype": "2", "mip6.coti.cookie": cookie(value)} | option_fields(options)
        case mh.HomeTest(options=options):
            return {
                "mip6.mhtype": "3",
                "mip6.hot.nindex": str(payload.nonce_index),
                "mip6.hot.cookie": cookie(payload.cookie),
                "mip6.hot.token": cookie(payload.keygen_token),
            } | option_fields(options)
        case mh.CareOfTest(options=options):
            return {
                "mip6.mhtype": "4",
                "mip6.cot.nindex": str(payload.nonce_index),
                "mip6.cot.cookie": cookie(payload.cookie),
                "mip6.hot.token": cookie(payload.keygen_token),  # the name that tshark has for both
            } | option_fields(options)
        case mh.BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options):
            return {
                "mip6.mhtype": "5",
                "mip6.bu.seqnr": str(sequence),
                "mip6.bu.a_flag": bit(Flag.ACKNOWLEDGE in flags),
                "mip6.bu.h_flag": bit(Flag.HOME_REGISTRATION in flags),
                "mip6.bu.l_flag": bit(Flag.LINK_LOCAL_ADDRESS_COMPATIBILITY in flags),
                "mip6.bu.k_flag": bit(Flag.KEY_MANAGEMENT_MOBILITY_CAPABILITY in flags),
                "mip6.bu.lifetime": str(lifetime // LIFETIME_UNIT),
            } | option_fields(options)
        case mh.BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime, options=options):
            return {
                "mip6.mhtype": "6",
                "mip6.ba.status": str(status),
                "mip6.ba.k_flag": bit(payload.key_management_mobility_capability),
                "mip6.ba.seqnr": str(sequence),
                "mip6.ba.lifetime": str(lifetime // LIFETIME_UNIT),
            } | option_fields(options)
        case mh.BindingError(status=status, home_address=address, options=options):
            return {
                "mip6.mhtype": "7",
                "mip6.be.status": str(status),
                "mip6.be.haddr": str(address),
            } | option_fields(options)
    return {"mip6.mhtype": ""}


def option_fields(options: tuple[mo.MobilityOption, ...]) -> Fields:
    values: dict[str, list[str]] = {
        name: [] for name in ("mip6.bra.interval", "mip6.acoa.acoa", "mip6.ni.hni", "mip6.ni.cni", "mip6.bad.auth")
    }
    for option in options:
        match option:
            case mo.BindingRefreshAdvice(refresh_interval=interval):
                values["mip6.bra.interval"].append(str(interval // LIFETIME_UNIT))
            case mo.AlternateCareOfAddress(address=address):
                values["mip6.acoa.acoa"].append(str(address))
            case mo.NonceIndices(home=home, care_of=care_of):
                values["mip6.ni.hni"].append(str(home))
                values["mip6.ni.cni"].append(str(care_of))
            case mo.BindingAuthorizationData(authenticator=authenticator):
                values["mip6.bad.auth"].append(authenticator.hex())
    return {name: ",".join(several) for name, several in values.items()}


def icmpv6_fields(payload: object) -> Fields:
    match payload:
        case (
            i6.EchoRequest(identifier=identifier, sequence=sequence)
            | i6.EchoReply(identifier=identifier, sequence=sequence)
        ):
            own = {"icmpv6.echo.identifier": f"0x{identifier:04x}", "icmpv6.echo.sequence_number": str(sequence)}
        case ml.MulticastListenerQuery(group=group):
            own = {
                "icmpv6.mld.maximum_response_code": str(decoded(payload.max_response_code, 12)),
                "icmpv6.mld.multicast_address": str(group),
                "icmpv6.mld.flag.s": bit(payload.robustness > 7),
                "icmpv6.mld.flag.qrv": str(payload.robustness & 7),
                "icmpv6.mld.qqi": str(decoded(payload.interval_code, 4)),
                "icmpv6.mld.nb_sources": str(len(payload.sources)),
            }
        case ml.MulticastListenerReportV1(group=group) | ml.MulticastListenerDone(group=group):
            own = {"icmpv6.mld.multicast_address": str(group)}
        case ml.MulticastListenerReport(records=records):
            own = {
                "icmpv6.mldr.nb_mcast_records": str(len(records)),
                "icmpv6.mldr.mar.record_type": ",".join(str(record.record_type) for record in records),
                "icmpv6.mldr.mar.multicast_address": ",".join(str(record.group) for record in records),
                "icmpv6.mldr.mar.source_address": ",".join(
                    str(source) for record in records for source in record.sources
                ),
            }
        case i6.RouterSolicitation():
            own = {}
        case i6.RouterAdvertisement():
            own = {
                "icmpv6.nd.ra.cur_hop_limit": str(payload.cur_hop_limit),
                "icmpv6.nd.ra.flag.m": bit(payload.managed),
                "icmpv6.nd.ra.flag.o": bit(payload.other),
                "icmpv6.nd.ra.flag.h": bit(payload.home_agent),
                "icmpv6.nd.ra.router_lifetime": str(payload.router_lifetime),
                "icmpv6.nd.ra.reachable_time": str(payload.reachable_time),
                "icmpv6.nd.ra.retrans_timer": str(payload.retrans_timer),
            }
        case i6.NeighborSolicitation(target=target):
            own = {"icmpv6.nd.ns.target_address": str(target)}
        case i6.NeighborAdvertisement(target=target):
            own = {
                "icmpv6.nd.na.flag.r": bit(payload.router),
                "icmpv6.nd.na.flag.s": bit(payload.solicited),
                "icmpv6.nd.na.flag.o": bit(payload.override),
                "icmpv6.nd.na.target_address": str(target),
            }
        case i6.HomeAgentAddressDiscoveryRequest(identifier=identifier):
            own = {"icmpv6.mip6.identifier": f"0x{identifier:04x}"}
        case i6.HomeAgentAddressDiscoveryReply(identifier=identifier, addresses=addresses):
            own = {
                "icmpv6.mip6.identifier": f"0x{identifier:04x}",
                "icmpv6.mip6.home_agent_address": ",".join(map(str, addresses)),
            }
        case i6.MobilePrefixSolicitation(identifier=identifier):
            own = {"icmpv6.mip6.identifier": f"0x{identifier:04x}"}
        case i6.MobilePrefixAdvertisement(identifier=identifier, managed=managed, other=other):
            own = {
                "icmpv6.mip6.identifier": f"0x{identifier:04x}",
                "icmpv6.mip6.flag.m": bit(managed),
                "icmpv6.mip6.flag.o": bit(other),
            }
        case _:
            return {"icmpv6.type": ""}
    kind = {"icmpv6.type": str(payload.ICMPV6_TYPE), "icmpv6.checksum.status": CHECKSUM_IS_GOOD}
    return kind | own | neighbor_option_fields(getattr(payload, "options", ()))


def neighbor_option_fields(options: tuple[nd.NeighborOption, ...]) -> Fields:
    names = {
        "icmpv6.opt.src_linkaddr": [
            option.address.hex(":") for option in options if isinstance(option, nd.SourceLinkLayerAddress)
        ],
        "icmpv6.opt.target_linkaddr": [
            option.address.hex(":") for option in options if isinstance(option, nd.TargetLinkLayerAddress)
        ],
        "icmpv6.opt.mtu": [str(option.mtu) for option in options if isinstance(option, nd.LinkMtu)],
        "icmpv6.opt.advertisement_interval": [
            str(option.interval) for option in options if isinstance(option, nd.AdvertisementInterval)
        ],
    }
    agents = [option for option in options if isinstance(option, nd.HomeAgentInformation)]
    names["icmpv6.opt.home_agent_preference"] = [str(agent.preference) for agent in agents]
    names["icmpv6.opt.home_agent_lifetime"] = [str(agent.lifetime) for agent in agents]
    prefixes = [option for option in options if isinstance(option, nd.PrefixInformation)]
    names["icmpv6.opt.prefix"] = [str(prefix.prefix) for prefix in prefixes]
    names["icmpv6.opt.prefix.length"] = [str(prefix.prefix_length) for prefix in prefixes]
    names["icmpv6.opt.prefix.flag.l"] = [bit(prefix.on_link) for prefix in prefixes]
    names["icmpv6.opt.prefix.flag.a"] = [bit(prefix.autonomous) for prefix in prefixes]
    names["icmpv6.opt.prefix.flag.r"] = [bit(prefix.router_address) for prefix in prefixes]
    names["icmpv6.opt.prefix.valid_lifetime"] = [str(prefix.valid_lifetime) for prefix in prefixes]
    names["icmpv6.opt.prefix.preferred_lifetime"] = [str(prefix.preferred_lifetime) for prefix in prefixes]
    return {name: ",".join(values) for name, values in names.items()}


def in_tsharks_terms(message: object) -> bool:
    """Tell whether a message is one that tshark reads as we do: it knows later options and types too."""
    return (
        in_scapys_terms(message)
        and not isinstance(message, i6.PacketTooBig | i6.ParameterProblem | Datagram | OpaquePayload)
        and all(
            option.option_type >= FIRST_OPTION_UNKNOWN_TO_TSHARK
            for option in getattr(message, "options", ())
            if isinstance(option, mo.UnknownOption)
        )
    )


def in_plain_headers(packet: Packet) -> bool:
    """Tell whether a packet has no other headers than those of RFC 6275, each as it builds them."""
    return all(isinstance(header, RoutingHeaderType2) or header == HOME_ADDRESS for header in packet.headers)


addresses = st.integers(1, 0xFFFF).map(lambda number: IPv6Address(f"2001:db8::{number:x}"))
packets = st.builds(
    Packet,
    source=addresses,
    destination=addresses,
    hop_limit=u8,
    traffic_class=u8,
    flow_label=st.integers(0, 0xFFFFF),
    headers=st.one_of(st.just(()), st.tuples(home_address_headers), st.tuples(routing_headers, home_address_headers)),
    payload=st.one_of(mobility_messages, icmpv6_messages).filter(in_tsharks_terms),
)


def query_packet(max_response_code: int) -> Packet:
    """Make a query at or beyond the point where tshark takes its codes for floating-point values."""
    query = ml.MulticastListenerQuery(
        max_response_code=max_response_code, group=IPv6Address("::"), robustness=2, interval_code=max_response_code >> 8
    )
    return Packet(source=IPv6Address("fe80::1"), destination=IPv6Address("ff02::1"), hop_limit=1, payload=query)


@cache
def sample() -> tuple[Packet, ...]:
    """Collect every vector that tshark can read, and packets that Hypothesis makes."""
    vectors = map(packet_of, VECTORS.values())
    collected = [packet for packet in vectors if in_tsharks_terms(packet.payload) and in_plain_headers(packet)]
    collected += [query_packet(code) for code in (0x7FFF, 0x8000, 0xFFFF)]

    @given(packets)
    @settings(
        max_examples=300, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
    )
    def collect(packet: Packet) -> None:
        collected.append(packet)

    collect()
    return tuple(collected)


def read_by_tshark(capture: Path, packets: list[bytes], names: list[str]) -> list[Fields]:
    with capture.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, RAW_IPV6))
        for octets in packets:
            file.write(struct.pack("=IIII", 0, 0, len(octets), len(octets)) + octets)
    wanted = [argument for name in names for argument in ("-e", name)]
    command = ["tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "header=y", "-E", "separator=|", *wanted]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return [dict(row) for row in csv.DictReader(shown.splitlines(), delimiter="|")]


def plain(values: str) -> list[str]:
    """Undo what versions of tshark print in ways of their own: zeros in front, colons, truth."""
    return [_plain(value) for value in values.split(",")]


def _plain(value: str) -> str:
    for read in (lambda text: int(text, 0), IPv6Address):
        with suppress(ValueError):
            return str(read(value))
    return {"True": "1", "False": "0", "Good": "1"}.get(value, value.replace(":", ""))


def compare(capture: Path, written: list[bytes]) -> None:
    expected = [fields_of(packet) for packet in sample()]
    names = sorted({name for fields in expected for name in fields})
    read = read_by_tshark(capture, written, names)
    assert len(read) == len(expected)
    for packet, wanted, found in zip(sample(), expected, read, strict=True):
        assert {name: plain(found[name]) for name in wanted} == {name: plain(wanted[name]) for name in wanted}, packet


@pytest.mark.rfc6275("6.1.1-a", "6.1.2-a", "6.1.7-a", "6.1.8-a", "6.1.9-a", "6.2.1-a", "6.3-a", "6.5-a")
@pytest.mark.rfc6275("7.1-a", "7.2-a", "7.3-a", "7.4-a")
def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    compare(tmp_path / "ours.pcap", [build(packet) for packet in sample()])


def test_tshark_reads_what_scapy_writes(tmp_path: Path) -> None:
    compare(tmp_path / "scapys.pcap", [bytes(to_scapy(packet)) for packet in sample()])


def test_tshark_would_tell(tmp_path: Path) -> None:
    octets = build(
        Packet(source=IPv6Address(1), destination=IPv6Address(2), payload=i6.EchoReply(identifier=1, sequence=2))
    )
    names = ["icmpv6.checksum.status", "_ws.malformed"]
    changed = octets[:-1] + b"\xff"
    cut = octets[:4] + b"\x00\x05" + octets[6:45]
    checksum, malformed = read_by_tshark(tmp_path / "bad.pcap", [changed, cut], names)
    assert checksum["icmpv6.checksum.status"] == "0"
    assert "malformed" in malformed["_ws.malformed"].lower()
