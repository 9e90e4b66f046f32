"""Our packets in Scapy's terms and back, so that each side can judge what the other wrote.

Scapy knows wrong default lengths of the Nonce Indices (16 for 4) and Binding Authorization Data (16 for 12) options,
and gives the Care-of messages the type of their siblings: so lengths and types are said, and checked.
"""

from ipaddress import IPv6Address
from typing import Any

from scapy.layers import inet6 as s6
from scapy.packet import NoPayload, Raw

from lab.constants import LIFETIME_UNIT
from lab.wire import icmpv6 as i6
from lab.wire import mobility as mh
from lab.wire import multicast_listener as ml
from lab.wire import neighbor as nd
from lab.wire import options as mo
from lab.wire.packet import (
    DestinationOptions,
    ExtensionHeader,
    HomeAddressOption,
    OpaquePayload,
    Packet,
    Payload,
    RoutingHeaderType2,
)

Scapy = Any
"""A packet of Scapy, which has no types."""

_FLAG_SHIFT = 9
_K_OF_ACKNOWLEDGEMENT = 4


def to_scapy(packet: Packet) -> Scapy:
    """Say a packet in Scapy's terms."""
    said = s6.IPv6(
        src=str(packet.source),
        dst=str(packet.destination),
        hlim=packet.hop_limit,
        tc=packet.traffic_class,
        fl=packet.flow_label,
    )
    for header in packet.headers:
        said /= _header_to_scapy(header)
    return said / _payload_to_scapy(packet.payload)


def from_scapy(said: Scapy) -> Packet:
    """Say what Scapy read in our terms."""
    headers: list[ExtensionHeader] = []
    layer = said.payload
    while (header := _header_from_scapy(layer)) is not None:
        headers.append(header)
        layer = layer.payload
    return Packet(
        source=IPv6Address(said.src),
        destination=IPv6Address(said.dst),
        hop_limit=said.hlim,
        traffic_class=said.tc,
        flow_label=said.fl,
        headers=tuple(headers),
        payload=_payload_from_scapy(layer),
    )


def _header_to_scapy(header: ExtensionHeader) -> Scapy:
    match header:
        case DestinationOptions(options=(HomeAddressOption(home_address=address),)):
            return s6.IPv6ExtHdrDestOpt(options=[s6.HAO(hoa=str(address))])
        case RoutingHeaderType2(home_address=address):
            return s6.IPv6ExtHdrRouting(type=2, addresses=[str(address)])
    raise AssertionError(header)


def _header_from_scapy(layer: Scapy) -> ExtensionHeader | None:
    match layer:
        case s6.IPv6ExtHdrDestOpt():
            (option,) = (option for option in layer.options if isinstance(option, s6.HAO))
            return DestinationOptions(options=(HomeAddressOption(home_address=IPv6Address(option.hoa)),))
        case s6.IPv6ExtHdrRouting():
            (address,) = layer.addresses
            assert (layer.type, layer.len) == (2, 2)
            return RoutingHeaderType2(home_address=IPv6Address(address), segments_left=layer.segleft)
    return None


def _payload_to_scapy(payload: Payload) -> Scapy:
    match payload:
        case OpaquePayload(data=data):
            return Raw(data)
        case mh.BindingRefreshRequest(options=options):
            return s6.MIP6MH_BRR(options=_options_to_scapy(options))
        case mh.HomeTestInit(cookie=cookie, options=options):
            return s6.MIP6MH_HoTI(cookie=cookie, options=_options_to_scapy(options))
        case mh.CareOfTestInit(cookie=cookie, options=options):
            return s6.MIP6MH_CoTI(mhtype=2, cookie=cookie, options=_options_to_scapy(options))
        case mh.HomeTest(nonce_index=index, cookie=cookie, keygen_token=token, options=options):
            return s6.MIP6MH_HoT(index=index, cookie=cookie, token=token, options=_options_to_scapy(options))
        case mh.CareOfTest(nonce_index=index, cookie=cookie, keygen_token=token, options=options):
            return s6.MIP6MH_CoT(mhtype=4, index=index, cookie=cookie, token=token, options=_options_to_scapy(options))
        case mh.BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options):
            return s6.MIP6MH_BU(
                seq=sequence,
                flags=flags >> _FLAG_SHIFT,
                mhtime=lifetime // LIFETIME_UNIT,
                options=_options_to_scapy(options),
            )
        case mh.BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime, options=options):
            return s6.MIP6MH_BA(
                status=status,
                flags=_K_OF_ACKNOWLEDGEMENT * payload.key_management_mobility_capability,
                seq=sequence,
                mhtime=lifetime // LIFETIME_UNIT,
                options=_options_to_scapy(options),
            )
        case mh.BindingError(status=status, home_address=address):
            return s6.MIP6MH_BE(status=status, ha=str(address))
        case i6.PacketTooBig(mtu=mtu, invoking=invoking):
            return s6.ICMPv6PacketTooBig(mtu=mtu) / Raw(invoking)
        case i6.ParameterProblem(code=code, pointer=pointer, invoking=invoking):
            return s6.ICMPv6ParamProblem(code=code, ptr=pointer) / Raw(invoking)
        case i6.EchoRequest(identifier=identifier, sequence=sequence, data=data):
            return s6.ICMPv6EchoRequest(id=identifier, seq=sequence, data=data)
        case i6.EchoReply(identifier=identifier, sequence=sequence, data=data):
            return s6.ICMPv6EchoReply(id=identifier, seq=sequence, data=data)
        case ml.MulticastListenerQuery(group=group, sources=sources):
            return s6.ICMPv6MLQuery2(
                mrd=payload.max_response_code,
                mladdr=str(group),
                S=payload.robustness >> 3,
                QRV=payload.robustness & 7,
                QQIC=payload.interval_code,
                sources=[str(source) for source in sources],
            )
        case ml.MulticastListenerReportV1(group=group):
            return s6.ICMPv6MLReport(mladdr=str(group))
        case ml.MulticastListenerDone(group=group):
            return s6.ICMPv6MLDone(mladdr=str(group))
        case ml.MulticastListenerReport(records=records):
            return s6.ICMPv6MLReport2(records=[_record_to_scapy(record) for record in records])
        case i6.RouterSolicitation(options=options):
            return _with_options(s6.ICMPv6ND_RS(), options)
        case i6.RouterAdvertisement(options=options):
            message = s6.ICMPv6ND_RA(
                chlim=payload.cur_hop_limit,
                M=payload.managed,
                O=payload.other,
                H=payload.home_agent,
                prf=0,
                routerlifetime=payload.router_lifetime,
                reachabletime=payload.reachable_time,
                retranstimer=payload.retrans_timer,
            )
            return _with_options(message, options)
        case i6.NeighborSolicitation(target=target, options=options):
            return _with_options(s6.ICMPv6ND_NS(tgt=str(target)), options)
        case i6.NeighborAdvertisement(router=router, solicited=solicited, override=override, target=target):
            message = s6.ICMPv6ND_NA(R=router, S=solicited, O=override, tgt=str(target))
            return _with_options(message, payload.options)
        case i6.HomeAgentAddressDiscoveryRequest(identifier=identifier):
            return s6.ICMPv6HAADRequest(id=identifier, R=0)
        case i6.HomeAgentAddressDiscoveryReply(identifier=identifier, addresses=addresses):
            return s6.ICMPv6HAADReply(id=identifier, R=0, addresses=[str(address) for address in addresses])
        case i6.MobilePrefixSolicitation(identifier=identifier):
            return s6.ICMPv6MPSol(id=identifier)
        case i6.MobilePrefixAdvertisement(identifier=identifier, managed=managed, other=other, options=options):
            return _with_options(s6.ICMPv6MPAdv(id=identifier, flags=2 * managed + other), options)
    raise AssertionError(payload)


def _payload_from_scapy(layer: Scapy) -> Payload:
    match layer:
        case s6.MIP6MH_BRR():
            return mh.BindingRefreshRequest(options=_options_from_scapy(layer))
        case s6.MIP6MH_HoTI(mhtype=1):
            return mh.HomeTestInit(cookie=layer.cookie, options=_options_from_scapy(layer))
        case s6.MIP6MH_HoTI(mhtype=2):
            return mh.CareOfTestInit(cookie=layer.cookie, options=_options_from_scapy(layer))
        case s6.MIP6MH_HoT(mhtype=3):
            return mh.HomeTest(
                nonce_index=layer.index,
                cookie=layer.cookie,
                keygen_token=layer.token,
                options=_options_from_scapy(layer),
            )
        case s6.MIP6MH_HoT(mhtype=4):
            return mh.CareOfTest(
                nonce_index=layer.index,
                cookie=layer.cookie,
                keygen_token=layer.token,
                options=_options_from_scapy(layer),
            )
        case s6.MIP6MH_BU():
            return mh.BindingUpdate(
                sequence=layer.seq,
                flags=mh.BindingUpdateFlag(int(layer.flags) << _FLAG_SHIFT),
                lifetime=layer.mhtime * LIFETIME_UNIT,
                options=_options_from_scapy(layer),
            )
        case s6.MIP6MH_BA():
            return mh.BindingAcknowledgement(
                status=layer.status,
                key_management_mobility_capability=bool(int(layer.flags) & _K_OF_ACKNOWLEDGEMENT),
                sequence=layer.seq,
                lifetime=layer.mhtime * LIFETIME_UNIT,
                options=_options_from_scapy(layer),
            )
        case s6.MIP6MH_BE():
            return mh.BindingError(status=layer.status, home_address=IPv6Address(layer.ha))
        case s6.ICMPv6PacketTooBig():
            return i6.PacketTooBig(mtu=layer.mtu, invoking=bytes(layer.payload))
        case s6.ICMPv6ParamProblem():
            return i6.ParameterProblem(code=layer.code, pointer=layer.ptr, invoking=bytes(layer.payload))
        case s6.ICMPv6EchoReply():
            return i6.EchoReply(identifier=layer.id, sequence=layer.seq, data=layer.data)
        case s6.ICMPv6EchoRequest():
            return i6.EchoRequest(identifier=layer.id, sequence=layer.seq, data=layer.data)
        case s6.ICMPv6MLQuery2():
            return ml.MulticastListenerQuery(
                max_response_code=layer.mrd,
                group=IPv6Address(layer.mladdr),
                robustness=layer.S << 3 | layer.QRV,
                interval_code=layer.QQIC,
                sources=tuple(map(IPv6Address, layer.sources)),
            )
        case s6.ICMPv6MLReport():
            return ml.MulticastListenerReportV1(group=IPv6Address(layer.mladdr))
        case s6.ICMPv6MLDone():
            return ml.MulticastListenerDone(group=IPv6Address(layer.mladdr))
        case s6.ICMPv6MLReport2():
            return ml.MulticastListenerReport(records=_records_from_scapy(layer))
        case s6.ICMPv6ND_RS():
            return i6.RouterSolicitation(options=_neighbor_options(layer))
        case s6.ICMPv6ND_RA():
            return i6.RouterAdvertisement(
                cur_hop_limit=layer.chlim,
                managed=bool(layer.M),
                other=bool(layer.O),
                home_agent=bool(layer.H),
                router_lifetime=layer.routerlifetime,
                reachable_time=layer.reachabletime,
                retrans_timer=layer.retranstimer,
                options=_neighbor_options(layer),
            )
        case s6.ICMPv6ND_NS():
            return i6.NeighborSolicitation(target=IPv6Address(layer.tgt), options=_neighbor_options(layer))
        case s6.ICMPv6ND_NA():
            return i6.NeighborAdvertisement(
                router=bool(layer.R),
                solicited=bool(layer.S),
                override=bool(layer.O),
                target=IPv6Address(layer.tgt),
                options=_neighbor_options(layer),
            )
        case s6.ICMPv6HAADRequest():
            return i6.HomeAgentAddressDiscoveryRequest(identifier=layer.id)
        case s6.ICMPv6HAADReply():
            addresses = tuple(IPv6Address(address) for address in layer.addresses)
            return i6.HomeAgentAddressDiscoveryReply(identifier=layer.id, addresses=addresses)
        case s6.ICMPv6MPSol():
            return i6.MobilePrefixSolicitation(identifier=layer.id)
        case s6.ICMPv6MPAdv():
            return i6.MobilePrefixAdvertisement(
                identifier=layer.id,
                managed=bool(layer.flags & 2),
                other=bool(layer.flags & 1),
                options=_neighbor_options(layer),
            )
    raise AssertionError(layer)


def _record_to_scapy(record: ml.MulticastAddressRecord) -> Scapy:
    sources = [str(source) for source in record.sources]
    return s6.ICMPv6MLDMultAddrRec(rtype=record.record_type, dst=str(record.group), sources=sources)


def _records_from_scapy(report: Scapy) -> tuple[ml.MulticastAddressRecord, ...]:
    """Follow the records, of which Scapy makes each the payload of the one before."""
    records, record = [], report.records[0] if report.records else None
    while isinstance(record, s6.ICMPv6MLDMultAddrRec):
        group, sources = IPv6Address(record.dst), tuple(map(IPv6Address, record.sources))
        records.append(ml.MulticastAddressRecord(record_type=record.rtype, group=group, sources=sources))
        record = record.payload
    assert len(records) == report.records_number
    return tuple(records)


def _options_to_scapy(options: tuple[mo.MobilityOption, ...]) -> list[Scapy]:
    return [_option_to_scapy(option) for option in options]


def _option_to_scapy(option: mo.MobilityOption) -> Scapy:
    match option:
        case mo.BindingRefreshAdvice(refresh_interval=interval):
            return s6.MIP6OptBRAdvice(rinter=interval // LIFETIME_UNIT)
        case mo.AlternateCareOfAddress(address=address):
            return s6.MIP6OptAltCoA(acoa=str(address))
        case mo.NonceIndices(home=home, care_of=care_of):
            return s6.MIP6OptNonceIndices(olen=4, hni=home, coni=care_of)
        case mo.BindingAuthorizationData(authenticator=authenticator):
            return s6.MIP6OptBindingAuthData(olen=12, authenticator=int.from_bytes(authenticator, "big"))
        case mo.UnknownOption(option_type=kind, data=data):
            return s6.MIP6OptUnknown(otype=kind, odata=data)


def _options_from_scapy(layer: Scapy) -> tuple[mo.MobilityOption, ...]:
    options = (_option_from_scapy(option) for option in layer.options)
    return tuple(option for option in options if option is not None)


def _option_from_scapy(option: Scapy) -> mo.MobilityOption | None:
    match option:
        case s6.Pad1() | s6.PadN():
            return None
        case s6.MIP6OptBRAdvice(olen=2):
            return mo.BindingRefreshAdvice(refresh_interval=option.rinter * LIFETIME_UNIT)
        case s6.MIP6OptAltCoA(olen=16):
            return mo.AlternateCareOfAddress(address=IPv6Address(option.acoa))
        case s6.MIP6OptNonceIndices(olen=4):
            return mo.NonceIndices(home=option.hni, care_of=option.coni)
        case s6.MIP6OptBindingAuthData(olen=12):
            return mo.BindingAuthorizationData(authenticator=option.authenticator.to_bytes(12, "big"))
        case s6.MIP6OptUnknown():
            return mo.UnknownOption(option_type=option.otype, data=option.odata)
    raise AssertionError(option)


def _with_options(message: Scapy, options: tuple[nd.NeighborOption, ...]) -> Scapy:
    for option in options:
        message /= _neighbor_option_to_scapy(option)
    return message


def _mac(octets: bytes) -> str:
    return octets.hex(":")


def _neighbor_option_to_scapy(option: nd.NeighborOption) -> Scapy:
    match option:
        case nd.SourceLinkLayerAddress(address=address):
            return s6.ICMPv6NDOptSrcLLAddr(lladdr=_mac(address))
        case nd.TargetLinkLayerAddress(address=address):
            return s6.ICMPv6NDOptDstLLAddr(lladdr=_mac(address))
        case nd.PrefixInformation():
            return s6.ICMPv6NDOptPrefixInfo(
                prefixlen=option.prefix_length,
                L=option.on_link,
                A=option.autonomous,
                R=option.router_address,
                validlifetime=option.valid_lifetime,
                preferredlifetime=option.preferred_lifetime,
                prefix=str(option.prefix),
            )
        case nd.LinkMtu(mtu=mtu):
            return s6.ICMPv6NDOptMTU(mtu=mtu)
        case nd.AdvertisementInterval(interval=interval):
            return s6.ICMPv6NDOptAdvInterval(advint=interval)
        case nd.HomeAgentInformation(preference=preference, lifetime=lifetime):
            return s6.ICMPv6NDOptHAInfo(pref=preference, lifetime=lifetime)
    raise AssertionError(option)


def _neighbor_options(message: Scapy) -> tuple[nd.NeighborOption, ...]:
    options = []
    layer = message.payload
    while not isinstance(layer, NoPayload):
        options.append(_neighbor_option_from_scapy(layer))
        layer = layer.payload
    return tuple(options)


def _neighbor_option_from_scapy(layer: Scapy) -> nd.NeighborOption:
    match layer:
        case s6.ICMPv6NDOptSrcLLAddr(type=1, len=1):
            return nd.SourceLinkLayerAddress(address=bytes.fromhex(layer.lladdr.replace(":", "")))
        case s6.ICMPv6NDOptDstLLAddr(type=2, len=1):
            return nd.TargetLinkLayerAddress(address=bytes.fromhex(layer.lladdr.replace(":", "")))
        case s6.ICMPv6NDOptPrefixInfo(len=4):
            return nd.PrefixInformation(
                prefix=IPv6Address(layer.prefix),
                prefix_length=layer.prefixlen,
                on_link=bool(layer.L),
                autonomous=bool(layer.A),
                router_address=bool(layer.R),
                valid_lifetime=layer.validlifetime,
                preferred_lifetime=layer.preferredlifetime,
            )
        case s6.ICMPv6NDOptMTU(len=1):
            return nd.LinkMtu(mtu=layer.mtu)
        case s6.ICMPv6NDOptAdvInterval(len=1):
            return nd.AdvertisementInterval(interval=layer.advint)
        case s6.ICMPv6NDOptHAInfo(len=1):
            return nd.HomeAgentInformation(preference=layer.pref, lifetime=layer.lifetime)
    raise AssertionError(layer)
