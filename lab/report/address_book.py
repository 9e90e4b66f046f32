"""Whose an address is, and what it is to its owner: captures know numbers, readers know names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network

from lab.errors import ConfigError
from lab.events import CareOfAddressFormed, HomeAddressAdded, MoveBegan, NodeFailed, NodeKilled, NodeStarted, Record
from lab.report.model import Described


@dataclass(slots=True)
class AddressBook:
    """The addresses of a run's nodes: what the topology gave them, and what they reported to have formed."""

    owners: dict[IPv6Address, str] = field(default_factory=dict)
    words: dict[IPv6Address, str] = field(default_factory=dict)
    stations: dict[bytes, str] = field(default_factory=dict)
    """Nodes by link-layer addresses."""
    prefixes: dict[IPv6Network, str] = field(default_factory=dict)
    places: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """Where mobile nodes are from when on."""
    service: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    """Whether nodes serve, from when on."""

    def at(self, node: str, time: float) -> str | None:
        """Give the link where a mobile node is plugged in; None for any other node."""
        return next((link for since, link in reversed(self.places.get(node, [])) if since <= time), None)

    def serves(self, node: str, time: float) -> bool:
        """Tell whether a node takes messages: one that died, or whose daemon was killed, does not."""
        return next((serves for since, serves in reversed(self.service.get(node, [])) if since <= time), True)

    def link_of(self, address: IPv6Address) -> str:
        """Give the link whose prefix an address has; empty if it is of none."""
        return next((link for prefix, link in self.prefixes.items() if address in prefix), "")

    def bearer(self, home_address: IPv6Address) -> str:
        """Name the mobile node of a home address; if it has several, with the end of this one."""
        owner = self.owners.get(home_address, str(home_address))
        several = sum(each == f"home address of {owner}" for each in self.words.values()) > 1
        return f"{owner} ({ending(home_address)})" if several else owner

    def explain(self, address: IPv6Address) -> str:
        """Say what an address is; empty if that is not known."""
        return self.words.get(address, "")


def ending(address: IPv6Address) -> str:
    """Give the end of an address, by which those of one link are told apart."""
    return f"…:{str(address).rpartition(':')[2]}"


def address_book(network: Described, records: Sequence[Record]) -> AddressBook:
    """Collect what is known of addresses; raises `ConfigError` if the network has one that is none."""
    book = AddressBook()
    try:
        _declared(book, network)
    except ValueError as error:
        raise ConfigError(f"result.json: links and nodes: {error}") from error
    for record in records:
        enter(book, record)
    return book


def _declared(book: AddressBook, network: Described) -> None:
    book.prefixes.update((IPv6Network(link.prefix), link.name) for link in network.links)
    for node in network.nodes:
        for text in node.home_addresses:
            _enter(book, IPv6Address(text), node.name, f"home address of {node.name}")
        for interface in node.interfaces:
            book.stations[bytes.fromhex(interface.link_layer_address.replace(":", ""))] = node.name
            if interface.address is not None:
                _enter(book, IPv6Address(interface.address), node.name, f"{node.name} on {interface.link}")
            elif node.home_addresses:
                book.places[node.name] = [(0.0, interface.link)]


def enter(book: AddressBook, record: Record) -> None:
    """Enter what a record tells of addresses, places and service."""
    match record.event:
        case CareOfAddressFormed(address=address):
            _enter(book, address, record.node, f"care-of address of {record.node} on {book.link_of(address)}")
        case HomeAddressAdded(home_address=address):
            _enter(book, address, record.node, f"home address of {record.node}")
        case MoveBegan(mobile_node=node, to_link=link):
            book.places.setdefault(node, []).append((record.time, link))
        case NodeStarted():
            book.service.setdefault(record.node, []).append((record.time, True))
        case NodeFailed(name=name) | NodeKilled(name=name):
            book.service.setdefault(name, []).append((record.time, False))
        case _:
            pass


def _enter(book: AddressBook, address: IPv6Address, owner: str, words: str) -> None:
    book.owners.setdefault(address, owner)
    book.words.setdefault(address, words)
