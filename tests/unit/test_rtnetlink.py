"""Messages to the kernel as pyroute2, which declares them, writes and reads them itself."""

from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import tcmsg

from lab.rtnetlink import (
    ADDRESS_MESSAGE,
    BRIDGE,
    CLASSIFIER,
    LINK_INFO,
    LINK_MESSAGE,
    METRICS,
    NEIGHBOR_MESSAGE,
    NETEM,
    NETEM_RATE,
    ROUTE_MESSAGE,
    RULE_MESSAGE,
    SHAPER,
    SHAPER_PARAMETERS,
    TRAFFIC_MESSAGE,
    VETH,
    Layout,
)

HEADER = bytes(16)
FAR = IPv6Address("2001:db8::1")
MAC = bytes.fromhex("020000000001")
FAMILY = {"family": 10}

FLAT: dict[str, tuple[Layout, type[nlmsg], Mapping[str, int], Mapping[str, Any]]] = {
    "link": (
        LINK_MESSAGE,
        ifinfmsg,
        {"index": 7, "flags": 0x11043, "change": 1},
        {"IFLA_ADDRESS": MAC, "IFLA_IFNAME": "eth0", "IFLA_MTU": 1500, "IFLA_MASTER": 3},
    ),
    "address": (
        ADDRESS_MESSAGE,
        ifaddrmsg,
        FAMILY | {"prefixlen": 64, "flags": 2, "index": 7},
        {"IFA_ADDRESS": FAR, "IFA_PROTO": 62},
    ),
    "route": (
        ROUTE_MESSAGE,
        rtmsg,
        FAMILY | {"dst_len": 128, "table": 254, "proto": 62, "type": 1},
        {
            "RTA_DST": FAR,
            "RTA_TABLE": 6275,
            "RTA_OIF": 7,
            "RTA_PRIORITY": 200,
            "RTA_GATEWAY": FAR + 1,
            "RTA_PREFSRC": FAR + 2,
        },
    ),
    "rule": (
        RULE_MESSAGE,
        fibmsg,
        FAMILY | {"src_len": 128, "table": 253, "action": 1},
        {
            "FRA_SRC": FAR,
            "FRA_FWMARK": 0,
            "FRA_FWMASK": 6275,
            "FRA_IIFNAME": "lo",
            "FRA_SUPPRESS_PREFIXLEN": 0,
            "FRA_TABLE": 6275,
            "FRA_PRIORITY": 1000,
            "FRA_PROTOCOL": 62,
        },
    ),
    "neighbour": (
        NEIGHBOR_MESSAGE,
        ndmsg,
        FAMILY | {"ifindex": 7, "state": 4, "flags": 8},
        {"NDA_DST": FAR, "NDA_LLADDR": MAC, "NDA_PROTOCOL": 62},
    ),
    "traffic control": (
        TRAFFIC_MESSAGE,
        tcmsg,
        {"index": 7, "handle": 0xFFFF0000, "parent": 0xFFFFFFF1, "info": 0x12345678},
        {"TCA_KIND": "clsact"},
    ),
}


@pytest.mark.parametrize(("layout", "theirs", "fields", "attributes"), FLAT.values(), ids=FLAT)
def test_what_is_written_is_read_by_pyroute2_and_by_us(
    layout: Layout, theirs: type[nlmsg], fields: Mapping[str, int], attributes: Mapping[str, Any]
) -> None:
    octets = layout.write(fields, attributes.items())
    read = decoded(theirs, octets)
    assert {name: read[name] for name in fields} == fields
    assert {name: read.get_attr(name) for name in attributes} == {n: shown(value) for n, value in attributes.items()}
    ours = layout.read(HEADER + octets, len(HEADER))
    assert {name: value for name, value in ours.items() if value or name in attributes} == {**fields, **attributes}


def test_a_metric_of_a_route_is_nested() -> None:
    octets = ROUTE_MESSAGE.write(FAMILY, [("RTA_METRICS", METRICS.write({}, [("RTAX_MTU", 1420)]))])
    assert decoded(rtmsg, octets).get_attr("RTA_METRICS").get_attr("RTAX_MTU") == 1420


def test_the_other_end_of_a_pair_is_nested() -> None:
    peer = LINK_MESSAGE.write({"index": 9}, [("IFLA_IFNAME", "far"), ("IFLA_NET_NS_FD", 5)])
    info = LINK_INFO.write(
        {}, [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", VETH.write({}, [("VETH_INFO_PEER", peer)]))]
    )
    read = decoded(ifinfmsg, LINK_MESSAGE.write({}, [("IFLA_LINKINFO", info)])).get_nested(
        "IFLA_LINKINFO", "IFLA_INFO_DATA", "VETH_INFO_PEER"
    )
    assert (read["index"], read.get_attr("IFLA_IFNAME"), read.get_attr("IFLA_NET_NS_FD")) == (9, "far", 5)


def test_options_of_a_bridge_are_nested() -> None:
    options = {"IFLA_BR_STP_STATE": 1, "IFLA_BR_FORWARD_DELAY": 2, "IFLA_BR_MCAST_SNOOPING": 3}
    data = BRIDGE.write({}, options.items())
    info = LINK_INFO.write({}, [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", data)])
    read = decoded(ifinfmsg, LINK_MESSAGE.write({}, [("IFLA_LINKINFO", info)])).get_nested(
        "IFLA_LINKINFO", "IFLA_INFO_DATA"
    )
    assert {name: read.get_attr(name) for name in options} == options


def test_options_of_a_classifier_are_nested() -> None:
    options = {"TCA_BPF_FD": 9, "TCA_BPF_NAME": "mip6lab", "TCA_BPF_FLAGS": 1}
    octets = TRAFFIC_MESSAGE.write({}, [("TCA_KIND", "bpf"), ("TCA_OPTIONS", CLASSIFIER.write({}, options.items()))])
    read = decoded(tcmsg, octets).get_attr("TCA_OPTIONS")
    assert {name: read.get_attr(name) for name in options} == options


def test_options_of_netem_and_its_rate_are_nested() -> None:
    options = {"delay": 1, "limit": 2, "loss": 3, "jitter": 4}
    data = NETEM.write(options, [("TCA_NETEM_RATE", NETEM_RATE.write({"rate": 5}, []))])
    read = decoded(tcmsg, TRAFFIC_MESSAGE.write({}, [("TCA_KIND", "netem"), ("TCA_OPTIONS", data)]))
    read = read.get_attr("TCA_OPTIONS")
    assert {name: read[name] for name in options} == options
    assert read.get_attr("TCA_NETEM_RATE")["rate"] == 5


def test_parameters_of_a_shaper_are_nested() -> None:
    parameters = {"rate": 1, "rate___reserved": 2, "limit": 3, "buffer": 4}
    data = SHAPER.write({}, [("TCA_TBF_PARMS", SHAPER_PARAMETERS.write(parameters, []))])
    read = decoded(tcmsg, TRAFFIC_MESSAGE.write({}, [("TCA_KIND", "tbf"), ("TCA_OPTIONS", data)]))
    read = read.get_attr("TCA_OPTIONS").get_attr("TCA_TBF_PARMS")
    assert {name: read[name] for name in parameters} == parameters


@given(st.binary(max_size=40), st.integers(40, 200))
def test_what_is_not_declared_is_passed_over(value: bytes, number: int) -> None:
    strange = bytes((4 + len(value), 0, number, 0)) + value + bytes(-len(value) % 4)
    octets = LINK_MESSAGE.write({"index": 7}, []) + strange + LINK_MESSAGE.write({}, [("IFLA_MTU", 1500)])[16:]
    assert LINK_MESSAGE.read(octets, 0) == LINK_MESSAGE.read(LINK_MESSAGE.write({"index": 7}, []), 0) | {
        "IFLA_MTU": 1500
    }


def test_an_attribute_shorter_than_its_own_header_is_refused() -> None:
    with pytest.raises(ValueError, match="attribute 3 of 0 octets"):
        LINK_MESSAGE.read(LINK_MESSAGE.write({}, []) + bytes((0, 0, 3, 0)), 0)


def decoded(kind: type[nlmsg], octets: bytes) -> nlmsg:
    message = kind((len(HEADER) + len(octets)).to_bytes(4, "little") + HEADER[4:] + octets)
    message.decode()
    return message


def shown(value: object) -> object:
    """Give a value as pyroute2 shows it."""
    match value:
        case IPv6Address():
            return str(value)
        case bytes():
            return value.hex(":")
        case _:
            return value
