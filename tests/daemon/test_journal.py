"""The journal: one whole line for each event, at once; nothing that happens to it ends the node."""

import json
import os
import signal
import time
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.daemon.journal import AT_ONCE, Journal
from lab.events import NodeStarted, NodeStopped, PacketDropped, Record

STARTED = NodeStarted(role="home-agent", plane="user")


def read(path: Path) -> list[Record]:
    return [Record.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_event_is_in_the_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    journal = Journal("ha", str(path))
    journal.write(STARTED)
    assert [record.event for record in read(path)] == [STARTED]
    journal.write(NodeStopped(reason="SIGTERM"))
    assert [record.event for record in read(path)] == [STARTED, NodeStopped(reason="SIGTERM")]
    assert {record.node for record in read(path)} == {"ha"}


def test_what_is_written_at_the_same_time_goes_out_together_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    later: list[Callable[[], None]] = []
    journal = Journal("ha", str(path), later.append)
    for _ in range(AT_ONCE + 1):
        journal.write(STARTED)
    assert read(path) == []
    later.pop(0)()
    assert len(read(path)) == AT_ONCE
    later.pop(0)()
    assert len(read(path)) == AT_ONCE + 1
    assert later == []
    journal.write(STARTED)
    journal.flush()
    assert len(read(path)) == AT_ONCE + 2
    later.pop(0)()
    assert (len(read(path)), later) == (AT_ONCE + 2, [])


def test_a_kill_loses_what_was_still_to_be_written_and_no_part_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    events = [PacketDropped(reason="unsupported-packet", count=number) for number in range(AT_ONCE + 1)]
    if (child := os.fork()) == 0:
        later: list[Callable[[], None]] = []
        journal = Journal("ha", str(path), later.append)
        for event in events:
            journal.write(event)
        later.pop(0)()
        os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert path.read_text(encoding="utf-8").endswith("\n")
    assert [record.event for record in read(path)] == events[:AT_ONCE]


def test_what_is_written_later_has_the_time_at_which_it_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ha.jsonl"
    now = iter((10.0, 20.0))
    monkeypatch.setattr(time, "time", lambda: next(now))
    journal = Journal("ha", str(path), lambda _: None)
    journal.write(STARTED)
    journal.write(STARTED)
    journal.flush()
    assert [record.time for record in read(path)] == [10.0, 20.0]


def test_a_restart_appends(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    for _ in range(2):
        Journal("ha", str(path)).write(STARTED)
    assert len(read(path)) == 2


def test_times_do_not_run_backwards(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    journal = Journal("ha", str(path))
    for _ in range(100):
        journal.write(STARTED)
    times = [record.time for record in read(path)]
    assert times == sorted(times)


def test_a_hyphen_is_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    Journal("ha", "-").write(STARTED)
    assert Record.from_json(capfd.readouterr().out).event == STARTED


def test_whatever_text_an_event_carries_stays_on_one_line_of_ascii(tmp_path: Path) -> None:
    path = tmp_path / "ha.jsonl"
    event = PacketDropped(reason="a\nb", source=IPv6Address("::1"), detail='"}\u2028\x00ñ\ud800')
    Journal("ha", str(path)).write(event)
    (line,) = path.read_bytes().splitlines()
    assert line.isascii()
    assert json.loads(line)["detail"] == event.detail
    assert Record.from_json(line.decode()).event == event


def test_a_full_disk_is_told_once_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal("ha", "/dev/full")
    journal.write(STARTED)
    journal.write(STARTED)
    assert [record.message for record in caplog.records] == [
        "the journal cannot be written any more: [Errno 28] No space left on device"
    ]


def test_a_reader_that_left_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    journal = Journal("ha", str(pipe))
    journal.write(STARTED)
    os.close(reader)
    journal.write(STARTED)
    assert "Broken pipe" in caplog.text


def test_a_file_that_cannot_be_opened_is_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        Journal("ha", str(tmp_path / "missing" / "ha.jsonl"))
