"""The protections of RFC 6275 that an exercise switches off, one at a time, to show what they are for (§15).

All are in force unless a laboratory says otherwise. In code they are safeguards, since a `Protection` is what IPsec
calls a pair of associations.
"""

from enum import StrEnum
from typing import Self, TypeAlias


class Safeguard(StrEnum):
    """One protection, and what it does in a sentence."""

    sentence: str

    def __new__(cls, name: str, sentence: str = "") -> Self:
        """Make a member of its name, which is its value, and its sentence."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.sentence = sentence
        return member

    # Between a mobile node and its home agent
    ESP = "esp", "A home registration counts only in the ESP of a security association (§5.1)."
    ASSOCIATION_CHECK = (
        "association-check",
        "A security association serves one home address, and nobody registers another's by it (§5.1).",
    )
    STATE_STORE = "state-store", "A home agent keeps bindings and sequence numbers beyond a restart (§15.3)."
    SEQUENCE_CHECK = "sequence-check", "A Binding Update counts only if it is newer than the last one (§9.5.1)."
    OUTER_SOURCE_CHECK = (
        "outer-source-check",
        "Out of a tunnel comes only what the other end put into it, by the outer source (§10.4.5, §5.5).",
    )

    # Between a mobile node and a correspondent
    AUTHENTICATOR = "authenticator", "A correspondent believes a Binding Update by the key of both tokens (§5.2.6)."
    CARE_OF_TEST = (
        "care-of-test",
        "A correspondent sends to a care-of address only when that has answered a test (§5.2.5).",
    )
    KEPT_SEQUENCE = (
        "kept-sequence",
        "A correspondent remembers the sequence number of a binding that ended, as long as its tokens count (§5.2.8).",
    )
    NONCE_LIFETIME = "nonce-lifetime", "Tokens count no longer than their nonces, for 240 seconds at most (§5.2.7)."
    BINDING_LIFETIME = (
        "binding-lifetime",
        "A correspondent grants 420 seconds at most; then both tests must be passed again (§9.5.2).",
    )

    # On the way
    INGRESS_FILTERING = (
        "ingress-filtering",
        "Access routers let no packet out whose source is none of the link behind them (RFC 2827, §15.7).",
    )

    # What a mobile node is told of links, by whoever
    PREFIX_AUTHENTICATION = (
        "prefix-authentication",
        "A mobile node takes prefixes of home in ESP alone, as the answer to what it asked (§15.6, §11.4.3).",
    )
    ROUTER_PROBE = (
        "router-probe",
        "A mobile node that hears of another router asks its own first, and stays if that answers (§11.5.1).",
    )

    # What a mobile node is told of correspondents, by whoever
    AWAITED_ANSWER = (
        "awaited-answer",
        "Who says that a peer knows no mobility messages is heard only in place of an answer (§11.3.5, §11.3.6).",
    )

    # Headers and tunnels
    HOME_ADDRESS_CHECK = (
        "home-address-check",
        "A Home Address option counts only with the binding that explains it (§9.3.1, §15.8).",
    )
    ROUTING_HEADER_CHECK = (
        "routing-header-check",
        "A type 2 routing header leads to a home address of the node that it comes to, and nowhere else (§6.4).",
    )
    ROUTING_HEADER_FILTER = (
        "routing-header-filter",
        "A firewall stops type 0 routing headers, and lets those of type 2 through (§15.9).",
    )
    PAYLOAD_ESP = "payload-esp", "All that a tunnel carries of a private home address is in ESP (§15.7, §5.5)."
    ENCAPSULATION_LIMIT = (
        "encapsulation-limit",
        "A packet that is in a tunnel already goes through so many more, and no further (§15.1, RFC 2473).",
    )

    # Floods
    STATELESS_TESTS = (
        "stateless-tests",
        "A correspondent keeps nothing of who asks for tests (§5.2.5, §15.4.5).",
    )
    FORGERY_BUDGET = (
        "forgery-budget",
        "So many bogus Binding Updates a second are looked into, and no more (§15.4.5).",
    )


Without: TypeAlias = frozenset[Safeguard]
"""Protections that are switched off."""
NOTHING: Without = frozenset()
