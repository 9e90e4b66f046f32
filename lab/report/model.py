"""The result of a run: the schema of `result.json`."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from lab.errors import ConfigError
from lab.report.handovers import Handover
from lab.verify.check import Check, Evidence, Verdict

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link of the network that was played on."""

    name: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """Where a node is attached; a mobile node, where it began."""

    link: str
    address: str | None
    """None for a mobile node, which makes its own."""
    link_layer_address: str
    """By which captures tell whose a frame is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of the network that was played on."""

    name: str
    kind: str
    home: str | None
    """The home link of a mobile node or a home agent."""
    home_addresses: list[str]
    interfaces: list[Interface]


class Described(Protocol):
    """What tells of a network: the result of a run, or a network that runs."""

    @property
    def links(self) -> Sequence[Link]:
        """Its links."""
        ...

    @property
    def nodes(self) -> Sequence[Node]:
        """Its nodes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The links and nodes of a network that runs."""

    links: list[Link]
    nodes: list[Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """What became of an exercise's attack."""

    section: str
    protection: str | None
    """The one that withstands it; None where RFC 6275 knows none."""
    attempted: bool
    """All that the attacker sent was captured on the attacker's link."""
    succeeded: bool
    """The captures hold what the attack was for."""
    expected: bool
    """It ought to succeed, by the protections in force."""
    evidence: list[Evidence] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """What nodes said of it."""
    caught_by: list[str] = field(default_factory=list)
    """Rules for captures that do not hold because of it."""

    @property
    def as_expected(self) -> bool:
        """Whether the attack was made, and had the outcome that it ought to have."""
        return self.attempted and self.succeeded == self.expected

    @property
    def outcome(self) -> str:
        """Say what became of it."""
        if not self.attempted:
            return "the attack was not made: the attacker's packets are not in the capture"
        ought = "as it must" if self.as_expected else "AND MUST NOT"
        return f"the attack {'succeeded' if self.succeeded else 'failed'}, {ought}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run found out."""

    schema: int = SCHEMA_VERSION
    scenario: str
    topology: str
    seed: int
    plane: str
    kernel: str
    time: str
    settings: dict[str, str]
    versions: dict[str, str]
    started: float
    """Seconds since the epoch."""
    duration_s: float
    """From the first step of the scenario to its last."""
    ok: bool
    """All checks hold and the scenario came to its end."""
    error: str | None = None
    checks: list[Check] = field(default_factory=list)
    handovers: list[Handover] = field(default_factory=list)
    captures: dict[str, str] = field(default_factory=dict)
    """Link names and files, relative to the result's folder."""
    streams: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    """Protections that were switched off."""
    attack: Attack | None = None
    """Of an exercise."""

    def failed(self) -> list[Check]:
        """Give the checks that did not hold."""
        return [check for check in self.checks if check.verdict is Verdict.FAILED]

    @property
    def holds(self) -> bool:
        """Whether what was found is what ought to be.

        Of an exercise that is the outcome of its attack; the rules that catch it need not hold.
        """
        if self.attack is None:
            return not self.failed()
        return self.attack.as_expected and {check.id for check in self.failed()} <= {*self.attack.caught_by}

    def to_json(self) -> str:
        """Write `result.json`."""
        return json.dumps(asdict(self), indent=2) + "\n"


_ADAPTER = TypeAdapter(Result)


def load(directory: Path) -> Result:
    """Read the `result.json` of a folder; raises `ConfigError`."""
    path = directory / "result.json"
    try:
        result = _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; is {directory} the folder of a run?") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(": ".join(part for part in (str(path), where, first["msg"]) if part)) from error
    if result.schema != SCHEMA_VERSION:
        raise ConfigError(f"{path}: schema: it is of version {result.schema}; this program reads {SCHEMA_VERSION}")
    return result
