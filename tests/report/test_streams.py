"""A stream's log: written, read back, and refused if it is another file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import ConfigError
from lab.report.streams import Arrival, read, write

INSTANTS = st.integers(0, 4_000_000_000_000_000).map(lambda microseconds: microseconds / 1_000_000)
HEADER = "sequence,sent,received\n"


@given(st.lists(st.builds(Arrival, sequence=st.integers(0), sent=INSTANTS, received=st.none() | INSTANTS)))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, arrivals: list[Arrival]) -> None:
    path = tmp_path_factory.getbasetemp() / "stream.csv"
    write(path, arrivals)
    found = read(path)
    assert [arrival.sequence for arrival in found] == [arrival.sequence for arrival in arrivals]
    for before, after in zip(arrivals, found, strict=True):
        assert after.sent == pytest.approx(before.sent, abs=2e-6)
        assert (after.received is None) == (before.received is None)
        assert (after.received or 0.0) == pytest.approx(before.received or 0.0, abs=2e-6)


def test_a_lost_packet_has_no_arrival(tmp_path: Path) -> None:
    path = tmp_path / "stream.csv"
    write(path, [Arrival(sequence=0, sent=1.0, received=1.5), Arrival(sequence=1, sent=2.0, received=None)])
    assert path.read_text(encoding="ascii").split() == ["sequence,sent,received", "0,1.000000,1.500000", "1,2.000000,"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a,b\n1,2\n",
        "0,1.0,2.0\n",
        HEADER + "0,1.0\n",
        HEADER + "0,1.0,2.0,3.0\n",
        HEADER + "\n",
        HEADER + "x,1.0,2.0\n",
        HEADER + "0.5,1.0,2.0\n",
        HEADER + "0,,2.0\n",
        HEADER + "0,1.0,soon\n",
        HEADER + '0,1.0,"' + "2" * 200_000 + '"\n',
        HEADER + "ñ,1.0,2.0\n",
        "sequence,received,sent\n",
    ],
    ids=repr,
)
def test_another_file_is_refused_and_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stream.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{path}: not a stream's log: "):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path / 'x.csv'}: not a stream's log: "):
        read(tmp_path / "x.csv")
