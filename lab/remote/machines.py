"""The machines of a class, kept in a file that people may write as well."""

import json
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import ConfigError

FOLDER = "mip6lab"
"""Where the checkout is over there, unless told otherwise; relative to the user's home."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DESTINATION = re.compile(
    r"(?:(?P<user>[^@\s-][^@\s]*)@)?(?:\[(?P<ipv6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:@\[\]-][^\s:@\[\]]*))(?::(?P<port>\d+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHost:
    """A host that is reached by SSH, as `ssh` would: names of `~/.ssh/config` count."""

    host: str
    user: str | None = None
    port: int | None = None
    key: Path | None = None
    """A private key; without, those of the agent and of `~/.ssh`."""

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{user}{host}{'' if self.port is None else f':{self.port}'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VagrantMachine:
    """A machine of a Vagrantfile; Vagrant tells how to reach it."""

    machine: str
    project: Path
    """The folder of the Vagrantfile."""

    def __str__(self) -> str:
        return f"vagrant {self.machine} of {self.project}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine of the class."""

    name: str
    place: SshHost | VagrantMachine
    folder: str = FOLDER
    """The checkout over there."""


def parse_destination(text: str, key: Path | None = None) -> SshHost:
    """Read `[user@]host[:port]`, an IPv6 address in brackets; raises `ConfigError`."""
    found = _DESTINATION.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 0 < port < 1 << 16):
        raise ConfigError(f"{text!r} is no destination: write user@host, user@host:port or user@[2001:db8::1]:port")
    return SshHost(host=found["ipv6"] or found["host"], user=found["user"], port=port, key=key)


def machines_file() -> Path:
    """Give the file of the machines, in the folder of the user's settings."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mip6lab" / "machines.toml"


class Machines:
    """All machines that are known, in the order of the file; a change is written at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = {machine.name: machine for machine in _read(path)}

    def named(self, names: Iterable[str]) -> list[Machine]:
        """Find machines, without names all; raises `ConfigError` for one that is not known, or if there is none."""
        wanted = list(dict.fromkeys(names)) or [*self._known]
        absent = [name for name in wanted if name not in self._known]
        if absent:
            raise ConfigError(f"no machine {', '.join(absent)}; known: {', '.join(self._known) or 'none'}")
        if not wanted:
            raise ConfigError(f"{self.path} has no machines yet: mip6lab remote add NAME user@host")
        return [self._known[name] for name in wanted]

    def add(self, machine: Machine) -> None:
        """Keep one more; raises `ConfigError` if its name is no name, or is taken."""
        if taken := self._known.get(_checked(machine.name)):
            raise ConfigError(f"{machine.name} is there already ({taken.place}): mip6lab remote remove {machine.name}")
        self._known[machine.name] = machine
        self._write()

    def remove(self, names: Iterable[str]) -> None:
        """Forget machines; raises `ConfigError` for one that is not known."""
        for machine in self.named(names):
            del self._known[machine.name]
        self._write()

    def _write(self) -> None:
        """Replace the file in one step, so that it is whole at any time."""
        text = "\n".join(map(_as_toml, self._known.values()))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(self.path)


def _read(path: Path) -> list[Machine]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return [_machine(path, name, table) for name, table in tables.items()]


def _machine(path: Path, name: str, table: Any) -> Machine:
    """Read one table; raises `ConfigError` that names file, table and reason."""
    try:
        texts = _texts(table)
        return Machine(name=_checked(name), place=_place(texts), folder=texts.get("folder", FOLDER))
    except ConfigError as error:
        raise ConfigError(f"{path}: [{name}]: {error}") from error


def _place(texts: dict[str, str]) -> SshHost | VagrantMachine:
    match sorted({*texts} - {"folder"}):
        case ["ssh"]:
            return parse_destination(texts["ssh"])
        case ["key", "ssh"]:
            return parse_destination(texts["ssh"], Path(texts["key"]).expanduser())
        case ["project", "vagrant"]:
            return VagrantMachine(machine=texts["vagrant"], project=Path(texts["project"]).expanduser())
        case keys:
            found = ", ".join(keys) or "nothing"
            raise ConfigError(f"expected ssh, perhaps with key, or vagrant and project; beside folder; found {found}")


def _texts(table: Any) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigError("must be a table")
    for key, value in table.items():
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{key} must be a text")
    return table


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name for a machine: letters, digits, '.', '_' and '-'")
    return name


def _as_toml(machine: Machine) -> str:
    match machine.place:
        case SshHost(key=None) as place:
            values = {"ssh": str(place)}
        case SshHost(key=key) as place:
            values = {"ssh": str(place), "key": str(key)}
        case VagrantMachine(machine=name, project=project):
            values = {"vagrant": name, "project": str(project)}
    if machine.folder != FOLDER:
        values["folder"] = machine.folder
    # A text of JSON is one of TOML as well; a name may have dots, and is quoted for them.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[{json.dumps(machine.name)}]", *lines, ""])
