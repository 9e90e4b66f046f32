"""The configuration of a node: a TOML file whose tables are the engines' own configurations."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lab.constants import LIFETIME_UNIT, MAX_DELETE_BCE_TIMEOUT, MAX_LIFETIME
from lab.engine.config import CorrespondentConfig, HomeAgentConfig, MobileNodeConfig
from lab.errors import ConfigError


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

    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node; exactly the table of its role is there."""

    name: str
    role: Role
    plane: PlaneName = PlaneName.USER
    journal: str = "-"
    control: Path | None = None
    home_agent: HomeAgentConfig | None = None
    correspondent: CorrespondentConfig | None = None
    mobile_node: MobileNodeConfig | None = None

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The interfaces whose links the node watches."""
        return tuple(table.interface for table in (self.home_agent, self.mobile_node) if table is not None)


_TABLES = {
    "home_agent": HomeAgentConfig,
    "correspondent": CorrespondentConfig,
    "mobile_node": MobileNodeConfig,
}
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
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}") from error
    _refuse_unknown(data, NodeConfig, source, "")
    for name, kind in _TABLES.items():
        if isinstance(data.get(name), Mapping):
            _refuse_unknown(data[name], kind, source, f"{name}.")
    try:
        config = _ADAPTER.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        given = "" if first["type"] == "missing" else f" (given: {first['input']!r})"
        raise ConfigError(f"{source}: {key}: {first['msg']}{given}") from error
    _check(config, source)
    return config


def _refuse_unknown(data: Mapping[str, Any], kind: type, source: str, prefix: str) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    for key in data:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else f"; known here: {', '.join(known)}"
            raise ConfigError(f"{source}: {prefix}{key}: unknown key{hint}")


def _check(config: NodeConfig, source: str) -> None:
    """Refuse what is well-formed but cannot be meant."""
    tables = {name for name in _TABLES if getattr(config, name) is not None}
    if tables != {config.role.table}:
        raise ConfigError(f"{source}: role: {config.role} needs the table [{config.role.table}] and no other role's")
    if (node := config.mobile_node) is not None:
        if node.lifetime % LIFETIME_UNIT or not LIFETIME_UNIT <= node.lifetime <= MAX_LIFETIME:
            raise ConfigError(f"{source}: mobile_node.lifetime: not a multiple of 4 from 4 to {MAX_LIFETIME} seconds")
        if node.home_address not in node.home_prefix:
            raise ConfigError(f"{source}: mobile_node.home_address: not in home_prefix {node.home_prefix}")
    if (agent := config.home_agent) is not None:
        if not agent.home_prefixes:
            raise ConfigError(f"{source}: home_agent.home_prefixes: at least one is needed")
        if not 0 < agent.delete_timeout <= MAX_DELETE_BCE_TIMEOUT:
            raise ConfigError(f"{source}: home_agent.delete_timeout: more than 0, at most {MAX_DELETE_BCE_TIMEOUT}")
