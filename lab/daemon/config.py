"""The configuration of a node: a TOML file whose tables are the engines' own configurations."""

import dataclasses
import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lab.auth.esp import ENCRYPTION_KEY_OCTETS, INTEGRITY_KEY_OCTETS, Association
from lab.auth.ipsec_policy import Protection, Protects
from lab.auth.nonces import USED_FOR
from lab.constants import (
    ENCAPSULATION_LIMIT,
    LARGEST_ENCAPSULATION_LIMIT,
    LIFETIME_UNIT,
    MAX_BINDACK_TIMEOUT,
    MAX_DELETE_BCE_TIMEOUT,
    MAX_LIFETIME,
    MAX_NONCE_LIFETIME,
    MAX_RR_BINDING_LIFETIME,
)
from lab.engine.config import CorrespondentConfig, HomeAgentConfig, MobileNodeConfig
from lab.errors import ConfigError
from lab.safeguards import NOTHING, Without
from lab.wire.addresses import is_unicast_routable

LONGEST_INTERFACE_NAME = 15
LARGEST_SEQUENCE = 0xFFFF
LARGEST_PREFERENCE = 0xFFFF
SHORTEST_NONCE_LIFETIME = 2 * USED_FOR
"""Seconds: the last token that is made from a nonce must be of use for a while."""
FIRST_SPI, LAST_SPI = 0x100, 0xFFFF_FFFF
"""Those below are reserved (RFC 4303 §2.1)."""


class Role(StrEnum):
    """What a node is."""

    HOME_AGENT = "home-agent"
    CORRESPONDENT = "correspondent"
    MOBILE_NODE = "mobile-node"

    @property
    def table(self) -> str:
        """The table of the file that configures this role."""
        return self.value.replace("-", "_")


class PlaneName(StrEnum):
    """Which data plane carries the node's packets."""

    AUTO = "auto"
    BPF = "bpf"
    KERNEL = "kernel"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node; exactly the table of its role is there."""

    __pydantic_config__: ClassVar = ConfigDict(val_json_bytes="hex")
    """How keys are written."""

    name: str
    role: Role
    plane: PlaneName = PlaneName.AUTO
    journal: str = "-"
    control: Path | None = None
    state: Path | None = None
    encapsulation_limit: int = ENCAPSULATION_LIMIT
    ipsec: tuple[Protection, ...] = ()
    associations: Path | None = None
    """A JSON file with more of what `ipsec` holds: a hundred thousand of them are read in seconds."""
    without: Without = NOTHING
    """Protections that a laboratory has switched off; see `refuse_without`."""
    home_agent: HomeAgentConfig | None = None
    correspondent: CorrespondentConfig | None = None
    mobile_node: MobileNodeConfig | None = None

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The interfaces whose links the node watches."""
        return tuple(table.interface for table in (self.home_agent, self.mobile_node) if table is not None)

    @property
    def tunnels_dhcpv6(self) -> bool:
        """Whether DHCPv6 goes through the node's tunnels (RFC 6275 §10.4.4)."""
        serves = self.home_agent is not None and bool(self.home_agent.dhcpv6_servers)
        return serves or (self.mobile_node is not None and self.mobile_node.dhcpv6)


_ADAPTER = TypeAdapter(NodeConfig)


def load(path: Path) -> NodeConfig:
    """Read a file; raises `ConfigError` that names file, key and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> NodeConfig:
    """Read TOML text; `source` is named in errors."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # an endless number or nesting is not TOML's fault, but is no use
        raise ConfigError(f"{source}: not TOML: {error}") from error
    if isinstance(data.get("associations"), str) and isinstance(data.setdefault("ipsec", []), list):
        data["ipsec"] += _read_associations(Path(data["associations"]), source)
    _refuse_unknown(data, NodeConfig, source)
    try:
        # As JSON, since there no number passes for an address nor a string for a number.
        config = _ADAPTER.validate_json(json.dumps(data, default=_date), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        told = first["type"] != "missing" and first["loc"][0] != "ipsec"  # never a key
        given = f" (given: {first['input']!r})" if told else ""
        raise ConfigError(f"{source}: {key}: {first['msg']}{given}") from error
    for key, reason in _faults(config):
        raise ConfigError(f"{source}: {key}: {reason}")
    return config


def refuse_without(config: NodeConfig) -> None:
    """Raise `ConfigError` for a node that does without protections, where no laboratory made its network."""
    if config.without:
        named = ", ".join(sorted(config.without))
        raise ConfigError(
            f"{config.name}: without: {named}: only `mip6lab run` switches protections off, in its networks"
        )


def _read_associations(path: Path, source: str) -> list[Any]:
    """Read the entries of a file of associations."""
    try:
        entries = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{source}: associations: {path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{source}: associations: {path}: not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ConfigError(f"{source}: associations: {path}: not an array, as of the tables [[ipsec]]")
    return entries


def _date(value: object) -> dict[str, str]:
    """Stand for a date of TOML, which is no value of any key."""
    return {"date": str(value)}


def _refuse_unknown(data: Mapping[str, Any], kind: type, source: str, prefix: str = "") -> None:
    known = _keys(kind)
    for key in data:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else f"; known here: {', '.join(known)}"
            raise ConfigError(f"{source}: {prefix}{key}: unknown key{hint}")
    for key, table in _tables(kind).items():
        value = data.get(key)
        for place, entry in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(entry, Mapping):
                where = f"{key}.{place}" if isinstance(value, list) else key
                _refuse_unknown(entry, table, source, f"{prefix}{where}.")


@cache
def _keys(kind: Any) -> dict[str, Any]:
    """Give the keys of a table with their types."""
    return get_type_hints(kind)


@cache
def _tables(kind: Any) -> dict[str, type]:
    """Give the keys of a table that stand for tables, or lists of them, with their kinds."""
    return {key: table for key, hint in _keys(kind).items() if (table := _table(hint)) is not None}


def _table(hint: Any) -> type | None:
    """Give the kind of table that a key, or each entry of its list, stands for; None if it is no table."""
    options = get_args(hint) or (hint,)
    return next((option for option in options if isinstance(option, type) and dataclasses.is_dataclass(option)), None)


def _faults(config: NodeConfig) -> Iterator[tuple[str, str]]:
    """Find what is well-formed but cannot be meant: keys and reasons."""
    tables = {role.table for role in Role if getattr(config, role.table) is not None}
    if not config.name:
        yield "name", "a node needs a name"
    if tables != {config.role.table}:
        yield "role", f"{config.role} needs the table [{config.role.table}] and no other role's"
    if config.control is not None and not config.control.name:
        yield "control", f"{str(config.control)!r} is not the path of a socket"
    if config.associations is not None and not config.associations.name:
        yield "associations", f"{str(config.associations)!r} is not the path of a file"
    if config.state is not None and not config.state.name:
        yield "state", f"{str(config.state)!r} is not the path of a file"
    if config.state is not None and config.role is not Role.HOME_AGENT:
        yield "state", "only a home agent has a state that is kept"
    if not 0 <= config.encapsulation_limit <= LARGEST_ENCAPSULATION_LIMIT:
        yield "encapsulation_limit", f"from 0 to {LARGEST_ENCAPSULATION_LIMIT}"
    if not config.journal:
        yield "journal", "the path of a file, or - for standard output"
    for interface in config.interfaces:
        if not _names_interface(interface):
            yield f"{config.role.table}.interface", f"{interface!r} is not the name of an interface"
    if config.mobile_node is not None:
        yield from _faults_of_mobile_node(config.mobile_node)
        yield from _faults_of_correspondent(config.mobile_node.correspondent, "mobile_node.correspondent")
    if config.home_agent is not None:
        yield from _faults_of_home_agent(config.home_agent)
        yield from _faults_of_correspondent(config.home_agent.correspondent, "home_agent.correspondent")
    if config.correspondent is not None:
        yield from _faults_of_correspondent(config.correspondent, "correspondent")
    yield from _faults_of_ipsec(config)


def _faults_of_mobile_node(node: MobileNodeConfig) -> Iterator[tuple[str, str]]:
    for position, address in enumerate(node.further_home_addresses):
        if not is_unicast_routable(address):
            yield "mobile_node.further_home_addresses", f"{address} is not a unicast routable address"
        if address in (node.home_address, node.home_agent, *node.further_home_addresses[:position]):
            yield "mobile_node.further_home_addresses", f"{address} is named elsewhere too"
    for key in ("home_address", "home_agent"):
        address = getattr(node, key)
        if address is not None and not is_unicast_routable(address):
            yield f"mobile_node.{key}", f"{address} is not a unicast routable address"
    if node.home_agent_attempts < 1:
        yield "mobile_node.home_agent_attempts", "not less than 1"
    if node.home_prefix.prefixlen != 64:
        yield "mobile_node.home_prefix", f"a prefix of 64 bits is needed, {node.home_prefix} has another length"
    if node.home_address not in node.home_prefix:
        yield "mobile_node.home_address", f"not in home_prefix {node.home_prefix}"
    if not _is_lifetime(node.lifetime):
        yield "mobile_node.lifetime", _LIFETIME
    if not 0 < node.first_bindack_timeout <= MAX_BINDACK_TIMEOUT:
        yield "mobile_node.first_bindack_timeout", f"more than 0, at most {MAX_BINDACK_TIMEOUT} seconds"
    if not 0 <= node.initial_sequence <= LARGEST_SEQUENCE:
        yield "mobile_node.initial_sequence", f"from 0 to {LARGEST_SEQUENCE}"
    if not _is_lifetime(node.binding_lifetime, MAX_RR_BINDING_LIFETIME):
        yield "mobile_node.binding_lifetime", _RR_LIFETIME


def _faults_of_home_agent(agent: HomeAgentConfig) -> Iterator[tuple[str, str]]:
    if not is_unicast_routable(agent.address):
        yield "home_agent.address", f"{agent.address} is not a unicast routable address"
    if not agent.home_prefixes:
        yield "home_agent.home_prefixes", "at least one is needed"
    for address in agent.allowed or ():
        if not any(address in prefix for prefix in agent.home_prefixes):
            yield "home_agent.allowed", f"{address} is in none of the home_prefixes"
    for refused in agent.refused:
        if not any(refused.overlaps(prefix) for prefix in agent.home_prefixes):
            yield "home_agent.refused", f"{refused} holds no address of the home_prefixes"
    if agent.max_binding_lifetime < LIFETIME_UNIT:
        yield "home_agent.max_binding_lifetime", f"at least {LIFETIME_UNIT} seconds"
    if agent.refresh_advice is not None and not _is_lifetime(agent.refresh_advice):
        yield "home_agent.refresh_advice", _LIFETIME
    if not 0 <= agent.preference <= LARGEST_PREFERENCE:
        yield "home_agent.preference", f"from 0 to {LARGEST_PREFERENCE}"
    if agent.max_bindings is not None and agent.max_bindings < 0:
        yield "home_agent.max_bindings", "not less than 0"
    if agent.min_mob_pfx_adv_interval <= 0:
        yield "home_agent.min_mob_pfx_adv_interval", "more than 0"
    if agent.max_mob_pfx_adv_interval < agent.min_mob_pfx_adv_interval:
        yield "home_agent.max_mob_pfx_adv_interval", "not less than min_mob_pfx_adv_interval"
    for position, server in enumerate(agent.dhcpv6_servers):
        if not is_unicast_routable(server):
            yield "home_agent.dhcpv6_servers", f"{server} is not a unicast routable address"
        if server in (agent.address, *agent.dhcpv6_servers[:position]):
            yield "home_agent.dhcpv6_servers", f"{server} is named elsewhere too"
    if not 0 < agent.delete_timeout <= MAX_DELETE_BCE_TIMEOUT:
        yield "home_agent.delete_timeout", f"more than 0, at most {MAX_DELETE_BCE_TIMEOUT}"


def _faults_of_correspondent(correspondent: CorrespondentConfig, table: str) -> Iterator[tuple[str, str]]:
    if not _is_lifetime(correspondent.max_binding_lifetime, MAX_RR_BINDING_LIFETIME):
        yield f"{table}.max_binding_lifetime", _RR_LIFETIME
    if not SHORTEST_NONCE_LIFETIME <= correspondent.nonce_lifetime <= MAX_NONCE_LIFETIME:
        yield f"{table}.nonce_lifetime", f"from {SHORTEST_NONCE_LIFETIME:g} to {MAX_NONCE_LIFETIME:g} seconds"
    if correspondent.max_bindings is not None and correspondent.max_bindings < 1:
        yield f"{table}.max_bindings", "not less than 1; route_optimisation = false keeps no binding at all"


def _faults_of_ipsec(config: NodeConfig) -> Iterator[tuple[str, str]]:
    if config.ipsec and config.role is Role.CORRESPONDENT:
        yield "ipsec", "only home agents and mobile nodes have associations"
    purposes, inbound_spis = set(), set()
    for place, protection in enumerate(config.ipsec):
        key, purpose, spi = f"ipsec.{place}", _purpose(protection), _inbound_spi(protection, config.role)
        for end in ("home_address", "home_agent"):
            reason = _not_of_the_node(end, getattr(protection, end), config)
            if reason is not None:
                yield f"{key}.{end}", reason
        if purpose in purposes:
            yield f"{key}.protects", f"{protection.protects} of {protection.home_address} is protected twice"
        if spi in inbound_spis:
            yield key, f"SPI {spi:#x} of packets that come in is used twice"
        purposes.add(purpose)
        inbound_spis.add(spi)
        for direction in ("to_home_agent", "from_home_agent"):
            for name, reason in _faults_of_association(getattr(protection, direction)):
                yield f"{key}.{direction}.{name}", reason


def _purpose(protection: Protection) -> tuple[IPv6Address, IPv6Address, Protects]:
    return protection.home_address, protection.home_agent, protection.protects


def _inbound_spi(protection: Protection, role: Role) -> int:
    return (protection.to_home_agent if role is Role.HOME_AGENT else protection.from_home_agent).spi


def _not_of_the_node(end: str, address: IPv6Address, config: NodeConfig) -> str | None:
    """Say why associations of an address would never be used; None if they are."""
    if not is_unicast_routable(address):
        return f"{address} is not a unicast routable address"
    if (node := config.mobile_node) is not None and end == "home_address":
        own = (node.home_address, *node.further_home_addresses)
        if address not in own and address in node.home_prefix:  # other prefixes may come to be of home (§11.4.3)
            return f"{address} is not a home address of this node"
    if config.home_agent is not None and end == "home_agent" and address != config.home_agent.address:
        return f"{address} is not the address of this home agent"
    return None


def _faults_of_association(association: Association) -> Iterator[tuple[str, str]]:
    if not FIRST_SPI <= association.spi <= LAST_SPI:
        yield "spi", f"from {FIRST_SPI} to {LAST_SPI}"
    if len(association.integrity_key) != INTEGRITY_KEY_OCTETS:
        yield "integrity_key", f"{INTEGRITY_KEY_OCTETS} octets are needed, in hexadecimal digits (RFC 4868)"
    if len(association.encryption_key) not in ENCRYPTION_KEY_OCTETS:
        *short, long = (str(octets) for octets in ENCRYPTION_KEY_OCTETS if octets)
        yield "encryption_key", f"{', '.join(short)} or {long} octets are needed, in hexadecimal digits, or none"


_MULTIPLE = f"not a multiple of {LIFETIME_UNIT} from {LIFETIME_UNIT} to"
_LIFETIME = f"{_MULTIPLE} {MAX_LIFETIME} seconds"
_RR_LIFETIME = f"{_MULTIPLE} {MAX_RR_BINDING_LIFETIME:g} seconds"


def _is_lifetime(seconds: int, longest: float = MAX_LIFETIME) -> bool:
    return LIFETIME_UNIT <= seconds <= longest and seconds % LIFETIME_UNIT == 0


def _names_interface(name: str) -> bool:
    """Tell whether the kernel would have such an interface: its name is also that of a file."""
    fits = 1 <= len(name.encode()) <= LONGEST_INTERFACE_NAME
    return fits and name not in (".", "..") and not any(letter in "/:" or letter.isspace() for letter in name)
