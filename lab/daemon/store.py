"""What survives a restart: what a home agent knows of home addresses, in SQLite (RFC 6275 §15.3).

Records wait in memory for `flush`, and are on the disk when it returns: the write-ahead log is synchronised at every
commit, which costs one fsync for any number of records, where a rollback journal costs several. The file is locked for
as long as it is open, so that no two daemons acknowledge by the same records; the kernel ends the lock with the
process, however that ends.
"""

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from lab.daemon.clocks import Reading, elapsed, read
from lab.engine.io import BindingRecord, Forget, ForgetCutOff, Remember, RememberCutOff, StoreEffect
from lab.errors import ConfigError, StoreError

APPLICATION_ID = 0x6D697036  # "mip6"
VERSION = 3
PATIENCE = 1.0
"""Seconds in which an earlier daemon may still let the file go."""
LARGEST_SEQUENCE = 0xFFFF

_SCHEMA = (
    "CREATE TABLE clock (boot TEXT NOT NULL, uptime REAL NOT NULL, wall REAL NOT NULL)",
    "CREATE TABLE bindings (home_address BLOB PRIMARY KEY NOT NULL, care_of_address BLOB, sequence INTEGER NOT NULL,"
    " lifetime INTEGER NOT NULL, link_local BLOB, ends REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE cut_off (home_address BLOB PRIMARY KEY NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {VERSION}",
)
_ADDRESS_OCTETS = 16
_COLUMNS = "home_address, care_of_address, sequence, lifetime, link_local, ends"


class Store:
    """One file that one daemon has open. Deadlines in it count on the clock `uptime` of the boot that it names."""

    def __init__(self, path: Path, clock: Callable[[], Reading] = read) -> None:
        """Open or make a file; raises `ConfigError` that says what is wrong with it."""
        self._path = path
        self._clock = clock
        self._changed: dict[IPv6Address, BindingRecord | None] = {}
        """What is to be kept of home addresses by the next `flush`; None is to be removed."""
        try:
            path.touch(mode=0o600)  # where nodes are is nobody else's business
            self._connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"state: {path}: cannot be opened: {error}") from error
        try:
            self._prepare()
            self.recalled = self._recall()
            """What was kept before, ended or not; whoever has read it may let go of it."""
            self.cut_off = self._recall_cut_off()
            """The home addresses that are not to be served."""
        except BaseException:
            self._connection.close()
            raise

    def apply(self, effect: StoreEffect) -> None:
        """Keep something or remove it, durably after `flush`; raises `StoreError`, then no change since is kept."""
        match effect:
            case Remember(record=record):
                self._changed[record.home_address] = record
            case Forget(home_address=home_address):
                self._changed[home_address] = None
            case RememberCutOff(home_address=home_address):
                with self._changing() as execute:
                    execute("INSERT OR REPLACE INTO cut_off VALUES (?)", (home_address.packed,))
            case ForgetCutOff(home_address=home_address):
                with self._changing() as execute:
                    execute("DELETE FROM cut_off WHERE home_address = ?", (home_address.packed,))

    def flush(self) -> None:
        """Make every change durable; raises `StoreError`."""
        if self._changed or self._connection.in_transaction:
            with self._changing() as execute:
                self._put(self._changed)
                execute("COMMIT")
            self._changed.clear()

    def close(self) -> None:
        """Let the file go; may be called twice."""
        with contextlib.suppress(StoreError, sqlite3.ProgrammingError):  # of one that is closed already
            self.flush()
        self._connection.close()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Callable[..., object]]:
        """Be in a transaction for the block, which is undone as a whole if the block fails."""
        try:
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            yield self._connection.execute
        except sqlite3.Error as error:
            self._changed.clear()
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise StoreError(f"{self._path}: {error}") from error

    def _put(self, changed: Mapping[IPv6Address, BindingRecord | None]) -> None:
        now = self._clock()
        shift = now.uptime - now.monotonic
        kept = [_row(record, shift) for record in changed.values() if record is not None]
        removed = [(home_address.packed,) for home_address, record in changed.items() if record is None]
        change = self._connection.executemany
        change(f"INSERT OR REPLACE INTO bindings ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", kept)
        change("DELETE FROM bindings WHERE home_address = ?", removed)
        self._connection.execute("UPDATE clock SET uptime = ?, wall = ?", (now.uptime, now.wall))

    # Opening

    def _prepare(self) -> None:
        """Lock the file, and see that it is ours and whole."""
        execute = self._connection.execute
        try:
            execute("PRAGMA locking_mode = EXCLUSIVE")
            ours, version, foreign = (
                execute(question).fetchone()[0]
                for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema")
            )
            if not (ours or version or foreign):
                self._create()
            elif ours != APPLICATION_ID:
                raise ConfigError(f"state: {self._path}: a database, but not of a home agent; name another file")
            elif version != VERSION:
                raise ConfigError(
                    f"state: {self._path}: version {version}, this program reads and writes version {VERSION}"
                )
            execute("PRAGMA journal_mode = WAL")
            execute("PRAGMA synchronous = FULL")
            execute("BEGIN IMMEDIATE")  # takes the lock, which stays
            execute("COMMIT")
            if (found := execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise sqlite3.DatabaseError(found)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: damage within a text
            raise ConfigError(self._what_is_wrong(error)) from error

    def _create(self) -> None:
        now = self._clock()
        self._connection.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA:
            self._connection.execute(statement)
        self._connection.execute("INSERT INTO clock VALUES (?, ?, ?)", (now.boot, now.uptime, now.wall))
        self._connection.execute("COMMIT")

    def _what_is_wrong(self, error: Exception) -> str:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return f"state: {self._path}: in use by a running node"
        if isinstance(error, sqlite3.OperationalError):
            return f"state: {self._path}: cannot be used: {error}"
        return (
            f"state: {self._path}: damaged: {error}; moved away, the node starts without it,"
            " and old Binding Updates can be played back (RFC 6275 §15.3)"
        )

    def _recall(self) -> tuple[BindingRecord, ...]:
        """Read all records, their deadlines on the engine's clock, and have the file count on this boot's."""
        now = self._clock()
        try:
            boot, uptime, wall = self._connection.execute("SELECT boot, uptime, wall FROM clock").fetchone()
            then = Reading(boot=boot, uptime=uptime, wall=wall, monotonic=0.0)
            passed = elapsed(then, now)
            rows = self._connection.execute(f"SELECT {_COLUMNS} FROM bindings").fetchall()
            records = tuple(_record(row, now.monotonic - then.uptime - (passed or 0.0)) for row in rows)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ConfigError(self._what_is_wrong(error)) from error
        if passed is None:
            # How long the machine was off, nobody knows: to serve a binding longer than was granted would be wrong,
            # and so would be to accept its Binding Update once more.
            records = tuple(_sequence_alone(record) for record in records)
        try:
            with self._changing() as execute:
                if then.boot != now.boot:
                    self._put({record.home_address: record for record in records})
                execute("UPDATE clock SET boot = ?, uptime = ?, wall = ?", (now.boot, now.uptime, now.wall))
                execute("COMMIT")
        except StoreError as error:
            raise ConfigError(f"state: {error}") from error
        return records

    def _recall_cut_off(self) -> tuple[IPv6Address, ...]:
        try:
            rows = self._connection.execute("SELECT home_address FROM cut_off").fetchall()
            return tuple(_address(home_address) for (home_address,) in rows)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ConfigError(self._what_is_wrong(error)) from error


def _record(row: tuple[Any, ...], shift: float) -> BindingRecord:
    home_address, care_of_address, sequence, lifetime, link_local, ends = row
    if not (0 <= sequence <= LARGEST_SEQUENCE and lifetime >= 0):
        raise ValueError(f"sequence number {sequence}, lifetime {lifetime}")
    return BindingRecord(
        home_address=_address(home_address),
        care_of_address=None if care_of_address is None else _address(care_of_address),
        sequence=sequence,
        lifetime=lifetime,
        link_local=None if link_local is None else _address(link_local),
        deadline=ends + shift,
    )


def _row(record: BindingRecord, shift: float) -> tuple[object, ...]:
    return (
        record.home_address.packed,
        None if record.care_of_address is None else record.care_of_address.packed,
        record.sequence,
        record.lifetime,
        None if record.link_local is None else record.link_local.packed,
        record.deadline + shift,
    )


def _address(octets: bytes) -> IPv6Address:
    if not isinstance(octets, bytes) or len(octets) != _ADDRESS_OCTETS:
        raise ValueError(f"{octets!r} is no address")
    return IPv6Address(octets)


def _sequence_alone(record: BindingRecord) -> BindingRecord:
    return dataclasses.replace(record, care_of_address=None, link_local=None)
