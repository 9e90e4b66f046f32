"""The file that survives: what is kept, for how long, and what is said of a file that will not do (RFC 6275 §15.3)."""

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.daemon.clocks import Reading, elapsed, read
from lab.daemon.store import Store
from lab.engine.io import BindingRecord, Forget, ForgetCutOff, Remember, RememberCutOff
from lab.errors import ConfigError, StoreError
from tests.unit.event_samples import ADDRESSES

HOME = IPv6Address("2001:db8:1::100")
BOOTED = 1_700_000_000.0


@dataclass
class Machine:
    """A machine whose clocks a test sets; `offset` is what the engine's clock shows when it boots."""

    boot: str = "first"
    uptime: float = 1000.0
    wall: float = BOOTED + 1000.0
    offset: float = 0.0

    def read(self) -> Reading:
        return Reading(boot=self.boot, uptime=self.uptime, wall=self.wall, monotonic=self.uptime + self.offset)

    def pass_time(self, seconds: float) -> None:
        self.uptime += seconds
        self.wall += seconds

    def reboot(self, off: float, uptime: float = 20.0) -> None:
        self.wall += off + uptime
        self.boot, self.uptime, self.offset = self.boot + "'", uptime, self.offset - 7.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ha.sqlite"


def record(sequence: int = 7, deadline: float = 1060.0, home: IPv6Address = HOME) -> BindingRecord:
    care_of = IPv6Address("2001:db8:a1::2")
    return BindingRecord(
        home_address=home, care_of_address=care_of, sequence=sequence, lifetime=60, link_local=None, deadline=deadline
    )


def keep(path: Path, *records: BindingRecord, clock: Callable[[], Reading] = read) -> None:
    with closing(Store(path, clock)) as store:
        for each in records:
            store.apply(Remember(record=each))
            store.flush()


def recalled(path: Path, clock: Callable[[], Reading] = read) -> tuple[BindingRecord, ...]:
    with closing(Store(path, clock)) as store:
        return store.recalled


# What is kept


@given(
    st.lists(
        st.builds(
            BindingRecord,
            home_address=ADDRESSES,
            care_of_address=st.none() | ADDRESSES,
            sequence=st.integers(0, 0xFFFF),
            lifetime=st.integers(0, 0xFFFF * 4),
            link_local=st.none() | ADDRESSES,
            deadline=st.floats(0, 1e6),
        ),
        max_size=4,
        unique_by=lambda each: each.home_address,
    )
)
def test_records_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, records: list[BindingRecord]) -> None:
    path = tmp_path_factory.mktemp("state") / "ha.sqlite"
    machine = Machine()
    keep(path, *records, clock=machine.read)
    found = {each.home_address: each for each in recalled(path, machine.read)}
    assert {*found} == {each.home_address for each in records}
    for each in records:
        assert found[each.home_address].deadline == pytest.approx(each.deadline)
        assert replace(found[each.home_address], deadline=each.deadline) == each


def test_the_last_record_of_a_home_address_counts(path: Path) -> None:
    keep(path, record(7), record(8), record(1, home=HOME + 1))
    assert sorted(each.sequence for each in recalled(path)) == [1, 8]


def test_what_is_forgotten_is_gone_once_that_is_flushed(path: Path) -> None:
    keep(path, *(record(home=HOME + number) for number in range(3)))
    store = Store(path)
    store.apply(Forget(home_address=HOME))
    store.apply(Forget(home_address=HOME + 9))  # which is not there
    store.flush()
    store.flush()
    store.apply(Forget(home_address=HOME + 1))
    store.apply(Remember(record=record(9, home=HOME + 5)))
    store.close()
    store.close()
    assert {each.home_address for each in recalled(path)} == {HOME + 2, HOME + 5}


def test_who_is_cut_off_stays_so_until_readmitted(path: Path) -> None:
    keep(path, record())
    with closing(Store(path)) as store:
        for number in (0, 1, 1):
            store.apply(RememberCutOff(home_address=HOME + number))
        store.flush()
    with closing(Store(path)) as store:
        assert store.cut_off == (HOME, HOME + 1)
        store.apply(ForgetCutOff(home_address=HOME))
        store.apply(ForgetCutOff(home_address=HOME + 9))  # who never was
    with closing(Store(path)) as store:
        assert store.cut_off == (HOME + 1,)
        assert [each.home_address for each in store.recalled] == [HOME]


def test_others_may_not_read_where_nodes_are(path: Path) -> None:
    keep(path, record())
    assert path.stat().st_mode & 0o077 == 0


KEEPER = """
import sys, time
from pathlib import Path
from lab.daemon.store import Store
from lab.engine.io import Remember
from tests.daemon.test_store import record
store = Store(Path(sys.argv[1]))
store.apply(Remember(record=record(42)))
store.flush()
print("kept", flush=True)
time.sleep(60)
"""


@contextmanager
def keeper(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run another process that has kept a record and still has the file."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.rfc6275("15.3-a")
def test_a_record_survives_the_end_of_its_process(path: Path) -> None:
    with keeper(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert [each.sequence for each in recalled(path)] == [42]


def test_two_daemons_never_share_a_file(path: Path) -> None:
    with keeper(path), pytest.raises(ConfigError, match=r"ha\.sqlite: in use by a running node"):
        Store(path)


# How long it is worth something


def test_a_restart_leaves_what_is_left_of_a_lifetime(path: Path) -> None:
    machine = Machine()
    keep(path, record(deadline=1060.0), clock=machine.read)
    machine.pass_time(25)
    assert recalled(path, machine.read)[0].deadline - machine.read().monotonic == pytest.approx(35)


@pytest.mark.parametrize("shift", [-1e6, -40, 40, 1e6])
def test_a_clock_that_is_set_changes_nothing_without_a_reboot(path: Path, shift: float) -> None:
    machine = Machine()
    keep(path, record(deadline=1060.0), clock=machine.read)
    machine.pass_time(25)
    machine.wall += shift
    assert recalled(path, machine.read)[0].deadline - machine.read().monotonic == pytest.approx(35)


@pytest.mark.rfc6275("15.3-a")
def test_a_reboot_takes_its_time_from_a_lifetime(path: Path) -> None:
    """Whatever uptime and the engine's clock begin with; and a second one no less."""
    machine = Machine(offset=55.0)
    keep(path, record(deadline=1115.0), clock=machine.read)
    for off, left in ((10, 30), (5, 5), (5, -20)):
        machine.reboot(off=off)
        found = recalled(path, machine.read)[0]
        assert found.deadline - machine.read().monotonic == pytest.approx(left)
        assert found.care_of_address is not None


@pytest.mark.rfc6275("15.3-a", "9.5.1-b")
@pytest.mark.parametrize("wall", [0.0, BOOTED + 999.0, BOOTED + 1019.0])
def test_after_a_reboot_with_a_clock_set_back_nothing_is_served_but_the_number_counts(path: Path, wall: float) -> None:
    machine = Machine()
    keep(path, record(deadline=1060.0), clock=machine.read)
    machine.reboot(off=10)
    machine.wall = wall
    for _ in range(2):  # it stays so
        (found,) = recalled(path, machine.read)
        assert (found.care_of_address, found.link_local, found.sequence) == (None, None, 7)
        assert found.deadline - machine.read().monotonic == pytest.approx(60)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100), st.floats(-1000, 1000)), max_size=8))
def test_no_sequence_of_restarts_lengthens_a_lifetime(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, float, float]]
) -> None:
    """Only a clock that is set over a reboot can do so, by as much as that; and a number is kept rather too long."""
    path = tmp_path_factory.mktemp("state") / "ha.sqlite"
    machine = Machine()
    keep(path, record(deadline=1300.0), clock=machine.read)
    left, ahead, behind = 300.0, 0.0, 0.0
    for reboots, seconds, shift in steps:
        if reboots:
            machine.reboot(off=seconds, uptime=5.0)
            left -= seconds + 5.0
            ahead += max(shift, 0.0)
            behind += max(-shift, 0.0)
        else:
            machine.pass_time(seconds)
            left -= seconds
        machine.wall += shift
        (found,) = recalled(path, machine.read)
        remaining = found.deadline - machine.read().monotonic
        assert remaining >= left - ahead - 0.001
        if found.care_of_address is not None:
            assert remaining <= left + behind + 0.001


def test_the_clocks_of_this_machine() -> None:
    then = read()
    now = read()
    assert then.boot == now.boot != ""
    passed = elapsed(then, now)
    assert passed is not None
    assert 0 <= passed < 5


# What will not do


def test_a_folder_that_is_not_there(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^state: .*/ha\.sqlite: cannot be opened: .*No such file"):
        Store(path.parent / "nowhere" / "ha.sqlite")


def test_a_folder_is_no_file(path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be opened: unable to open"):
        Store(path.parent)


def test_a_file_of_another_kind(path: Path) -> None:
    path.write_text("a diary, and not a short one\n" * 100, encoding="ascii")
    with pytest.raises(ConfigError, match=r"damaged: file is not a database; moved away, the node starts without it"):
        Store(path)
    assert path.read_text(encoding="ascii").startswith("a diary")


def test_a_database_of_somebody_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE stars (name)")
    with pytest.raises(ConfigError, match="a database, but not of a home agent; name another file"):
        Store(path)


def test_a_file_of_another_version(path: Path) -> None:
    keep(path, record())
    change(path, "PRAGMA user_version = 2")
    with pytest.raises(ConfigError, match="version 2, this program reads and writes version 3"):
        Store(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bindings SET home_address = 'home'",
        "UPDATE bindings SET care_of_address = 'away'",
        "UPDATE bindings SET link_local = '::1::'",
        "UPDATE bindings SET sequence = 65536",
        "UPDATE bindings SET sequence = 'many'",
        "UPDATE bindings SET lifetime = -4",
        "UPDATE bindings SET ends = 'never'",
        "UPDATE clock SET wall = 'yesterday'",
        "DELETE FROM clock",
    ],
)
def test_values_that_nobody_wrote(path: Path, statement: str) -> None:
    machine = Machine()
    keep(path, record(), clock=machine.read)
    change(path, statement)
    machine.reboot(off=1)
    with pytest.raises(ConfigError, match="damaged"):
        Store(path, machine.read)


def test_a_table_that_is_missing(path: Path) -> None:
    keep(path, record())
    change(path, "DROP TABLE bindings")
    with pytest.raises(ConfigError, match="cannot be used: no such table: bindings"):
        Store(path)


@example(3803, b"\x80")  # within the text of the schema
@given(st.integers(0, 3 * 4096 - 1), st.binary(min_size=1, max_size=64))
def test_whatever_happened_to_the_file_it_is_recalled_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, octets: bytes
) -> None:
    path = tmp_path_factory.mktemp("state") / "ha.sqlite"
    keep(path, record())
    with path.open("r+b") as file:
        file.seek(at)
        file.write(octets)
    with suppress(ConfigError):
        Store(path).close()


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


# A disk that is full


def no_more_pages(store: Store) -> Callable[[], object]:
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    return lambda: store._connection.execute("PRAGMA max_page_count = 1000000")


def no_more_octets(store: Store) -> Callable[[], object]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = store._path.with_name(store._path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.rfc6275("15.3-a")
@pytest.mark.parametrize("fill", [no_more_pages, no_more_octets])
def test_what_does_not_fit_is_an_error_and_what_was_kept_stays(
    path: Path, fill: Callable[[Store], Callable[[], object]]
) -> None:
    store = Store(path)
    store.apply(Remember(record=record(1)))
    store.flush()
    make_room = fill(store)
    kept = 0
    complaint = ""
    while not complaint and kept < 10_000:
        try:
            store.apply(Remember(record=record(2, home=HOME + kept + 1)))
            store.flush()
            kept += 1
        except StoreError as error:
            complaint = str(error)
    make_room()
    assert complaint.startswith(f"{path}: ")
    store.apply(Remember(record=record(3, home=HOME + 20_000)))
    store.close()
    found = recalled(path)
    assert len(found) == kept + 2
    assert {each.sequence for each in found} == ({1, 2, 3} if kept else {1, 3})


def test_removals_that_cannot_be_written_are_an_error_too(path: Path) -> None:
    store = Store(path)
    store.apply(Remember(record=record(1)))
    store.flush()
    store.apply(Forget(home_address=HOME))
    make_room = no_more_octets(store)
    try:
        with pytest.raises(StoreError):
            store.flush()
    finally:
        make_room()
    store.close()
    assert len(recalled(path)) == 1
