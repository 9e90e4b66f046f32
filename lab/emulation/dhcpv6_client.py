"""A DHCPv6 client on a node, as small as it can be (RFC 8415 §18.2); Scapy speaks for it."""

import socket
from ipaddress import IPv6Address
from typing import Any

from scapy.layers import dhcp6

from lab.emulation.node import LabNode
from lab.errors import ScenarioError
from lab.wire.addresses import LINK_LOCAL_PREFIX
from lab.wire.dhcpv6 import ALL_DHCP_RELAY_AGENTS_AND_SERVERS, CLIENT_PORT, SERVER_PORT

TIMEOUT, ATTEMPTS = 1.0, 5
"""Seconds for which an answer is awaited, and how often it is asked for."""
LARGEST = 1 << 16
DNS_SERVERS = 23
"""The code of the option (RFC 3646 §3)."""
ASSOCIATION = 1
"""The identity association for addresses, of which a client with one interface has one."""


class Dhcpv6Client:
    """Asks on one interface of a node, from its link-local address there; what fails raises `ScenarioError`."""

    def __init__(self, node: LabNode, interface: str) -> None:
        self._where = f"{node.name}, {interface}"
        self._duid = dhcp6.DUID_LL(lladdr=node.spec.plugs[0].link_layer_address.hex(":"))
        index = node.namespace.netlink.link(interface).index
        own = next((e.ip for e in node.namespace.netlink.addresses(index) if e.ip in LINK_LOCAL_PREFIX), None)
        if own is None:
            raise ScenarioError(f"{self._where}: no link-local address to ask from by DHCPv6")
        self._to = (str(ALL_DHCP_RELAY_AGENTS_AND_SERVERS), SERVER_PORT, 0, index)
        self._socket: socket.socket = node.namespace.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        self._socket.bind((str(own), CLIENT_PORT, 0, index))
        self._socket.settimeout(TIMEOUT)
        self._transactions = 0
        self._server: Any = None
        """The option that names the server of the lease."""
        self.lease: IPv6Address | None = None

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    def inform(self) -> list[IPv6Address]:
        """Ask for name servers alone (Information-request)."""
        return _name_servers(self._ask(dhcp6.DHCP6_InfoRequest(), dhcp6.DHCP6_Reply))

    def solicit(self) -> IPv6Address:
        """Ask for an address (Solicit, Request)."""
        offer = self._ask(dhcp6.DHCP6_Solicit() / dhcp6.DHCP6OptIA_NA(iaid=ASSOCIATION), dhcp6.DHCP6_Advertise)
        self._server = dhcp6.DHCP6OptServerId(duid=offer[dhcp6.DHCP6OptServerId].duid)
        return self._take(dhcp6.DHCP6_Request(), _address(offer))

    def renew(self) -> IPv6Address:
        """Ask the server to extend the lease (Renew)."""
        if self.lease is None:
            raise ScenarioError(f"{self._where}: no lease to renew")
        return self._take(dhcp6.DHCP6_Renew(), self.lease)

    def _take(self, message: Any, address: IPv6Address | None) -> IPv6Address:
        wanted = dhcp6.DHCP6OptIA_NA(iaid=ASSOCIATION, ianaopts=[dhcp6.DHCP6OptIAAddress(addr=str(address))])
        self.lease = _address(self._ask(message / self._server / wanted, dhcp6.DHCP6_Reply))
        if self.lease is None:
            raise ScenarioError(f"{self._where}: the DHCPv6 server gives no address")
        return self.lease

    def _ask(self, message: Any, answer: Any) -> Any:
        """Send a message until it is answered by one of a kind."""
        self._transactions += 1
        message.trid = self._transactions
        who = dhcp6.DHCP6OptClientId(duid=self._duid)
        octets = bytes(message / who / dhcp6.DHCP6OptElapsedTime() / dhcp6.DHCP6OptOptReq(reqopts=[DNS_SERVERS]))
        for _ in range(ATTEMPTS):
            self._socket.sendto(octets, self._to)
            try:
                reply = answer(self._socket.recv(LARGEST))
            except TimeoutError:
                continue
            if (reply.msgtype, reply.trid) == (answer().msgtype, self._transactions):
                return reply
        raise ScenarioError(f"{self._where}: nobody answers {message.name} within {TIMEOUT * ATTEMPTS:g} s")


def _name_servers(reply: Any) -> list[IPv6Address]:
    option = reply.getlayer(dhcp6.DHCP6OptDNSServers)
    return [] if option is None else [IPv6Address(server) for server in option.dnsservers]


def _address(reply: Any) -> IPv6Address | None:
    """Give the first address of an identity association, if it has one."""
    association = reply.getlayer(dhcp6.DHCP6OptIA_NA)
    options = [] if association is None else association.ianaopts
    return next((IPv6Address(each.addr) for each in options if isinstance(each, dhcp6.DHCP6OptIAAddress)), None)
