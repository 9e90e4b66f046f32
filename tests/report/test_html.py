"""The page of a run: whole, by itself, and harmless whatever names are in it."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab.errors import ConfigError
from lab.events import Record
from lab.report import streams
from lab.report.address_book import AddressBook
from lab.report.html import SHOWN_MESSAGES, read_events, write
from lab.report.ladder import messages
from lab.report.model import Result
from lab.verify.check import Evidence, Verdict
from tests.report import played
from tests.report.results import HOSTILE, exercise_result, hostile_records, hostile_result, records, result

VOID = {"meta", "br"}
SECTIONS = ["network", "handovers", "messages", "streams", "bindings", "timeline", "checks", "repeat"]
DRAWN = re.compile(r"<svg stroke-linejoin.*?</svg>", re.DOTALL)
"""What Matplotlib draws; its own tests are elsewhere."""


class Page(HTMLParser):
    """A page taken apart: its elements, their attributes, its text; open elements must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def attribute(self, name: str) -> list[str]:
        """Give the values of an attribute, wherever it is."""
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def page(tmp_path: Path, shown: Result, listed: list[Record]) -> Page:
    return Page(DRAWN.sub("", write(tmp_path, shown, listed).read_text(encoding="utf-8")))


def test_the_page_tells_what_was_found(tmp_path: Path) -> None:
    seen = page(tmp_path, result(), records())
    for text in (
        "handover",
        "TwoVisitedLinks",
        "All 1 checks that apply hold",
        "15.0 ms",
        "visited1",
        "a check",
        "home:7",
    ):
        assert text in seen.text
    assert "mip6lab run handover --seed 7 --set dad=optimistic" in seen.text
    in_guest = page(tmp_path, replace(result(), kernel="guest"), [])
    assert "mip6lab run handover --seed 7 --kernel guest --set" in in_guest.text
    sections = {f"#{name}" for name in seen.attribute("id") if name in SECTIONS}
    assert [target for target in seen.attribute("href") if target not in sections] == [
        "./captures/home.pcapng",
        "./streams/cn-mn.csv",
        "events.jsonl",
        "result.json",
    ]


@pytest.mark.parametrize("ok", [True, False])
def test_the_verdict_is_said_first(tmp_path: Path, ok: bool) -> None:
    shown = result() if ok else replace(result(), ok=False, error="the daemon of mn ended")
    assert ("the daemon of mn ended" in page(tmp_path, shown, []).text) is not ok


@pytest.mark.parametrize("without", [True, False])
def test_an_attack_and_what_was_switched_off_are_said_first(tmp_path: Path, without: bool) -> None:
    seen = page(tmp_path, exercise_result(without=without), [])
    assert f"The attack {'succeeded' if without else 'failed'}, as it must." in seen.text
    assert ("WITHOUT esp" in seen.text) is without
    assert ("--without esp" in seen.text) is without
    for told in ("withstood by esp", "outside:13", "ha: drops a packet: unprotected", "that it breaks: c3"):
        assert told in " ".join(seen.text.split())
    assert "checks that apply hold" not in seen.text


def test_an_empty_run_has_a_page_without_empty_sections(tmp_path: Path) -> None:
    empty = replace(result(), checks=[], handovers=[], captures={}, streams={}, settings={}, versions={})
    seen = page(tmp_path, empty, [])
    assert [name for name in seen.attribute("id") if name in SECTIONS] == ["repeat"]
    assert [target for target in seen.attribute("href") if target.startswith("#")] == ["#repeat"]


def whole(tmp_path: Path) -> Page:
    """Make the page of a run of which everything is known."""
    (tmp_path / "streams").mkdir()
    streams.write(tmp_path / "streams" / "cn-mn.csv", played.stream())
    write(tmp_path, played.network(), played.records(), played.captures())
    return Page((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_whole_run_has_every_section(tmp_path: Path) -> None:
    seen = whole(tmp_path)
    assert [name for name in seen.attribute("id") if name in SECTIONS] == SECTIONS
    assert [target for target in seen.attribute("href") if target[1:] in SECTIONS] == [f"#{name}" for name in SECTIONS]


def test_messages_have_their_fields_and_frames(tmp_path: Path) -> None:
    seen = whole(tmp_path)
    assert {"message-1", "message-2", "message-3"} <= {*seen.attribute("id")}
    for text in ("Home Address option", "15 × 4 s = 60 s", "frame 1", "mn → ha, in the tunnel", "binds mn to away"):
        assert text in seen.text


def test_evidence_leads_to_its_message(tmp_path: Path) -> None:
    (first,) = [message for message in messages(played.captures(), AddressBook()) if message.name == "Binding Update"]
    frame = first.legs[0].frames[0]
    evidence = (Evidence(capture=frame.link, frame=frame.number), Evidence(capture="home", frame=10**6))
    check = replace(result().checks[0], evidence=evidence)
    written = write(tmp_path, replace(played.network(), checks=[check]), played.records(), played.captures())
    text = written.read_text(encoding="utf-8")
    assert f'<a href="#message-1">{frame.link}:{frame.number}</a>, home:1000000' in text


def test_what_failed_comes_first_and_what_does_not_apply_is_folded_away(tmp_path: Path) -> None:
    passed, other = result().checks
    failed = replace(passed, title="one that fails", verdict=Verdict.FAILED)
    seen = page(tmp_path, replace(result(), ok=False, checks=[other, passed, failed]), [])
    assert "1 of 2 checks do not hold" in seen.text
    places = [seen.text.index(title) for title in ("one that fails", "a check", "1 do not apply", "another")]
    assert places == sorted(places)


def test_more_messages_than_anybody_reads_are_counted(tmp_path: Path) -> None:
    seen = played.Captures()
    for number in range(SHOWN_MESSAGES + 7):
        seen.carry(number * 2.0, played.update(sequence=number), played.TUNNEL[::-1])
    text = Page(write(tmp_path, played.network(), played.records(), seen.frames).read_text(encoding="utf-8")).text
    assert "7 further messages are in the captures" in text


def test_a_stream_whose_log_is_missing_is_left_out(tmp_path: Path) -> None:
    assert "streams" not in Page(write(tmp_path, played.network(), []).read_text(encoding="utf-8")).attribute("id")


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    for shown, listed in ((result(), records()), (hostile_result(), hostile_records())):
        text = write(tmp_path, shown, listed).read_text(encoding="utf-8")
        seen = Page(text)
        assert {tag for tag, _ in seen.elements} & {
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
        } == set()
        assert seen.attribute("src") == []
        assert not re.search(r"url\((?!#)|@import", text)
        for target in seen.attribute("href"):
            assert re.match(r"\./[A-Za-z0-9%/._-]*$|[a-z.]+$|#[a-z]+(-\d+)?$", target), target
        for target in seen.attribute("xlink:href"):
            assert re.match(r"#[a-z0-9]+$", target), target


def test_hostile_names_are_shown_and_do_nothing(tmp_path: Path) -> None:
    harmless = page(tmp_path, exercise_result(without=True), records())
    seen = page(tmp_path, hostile_result(), hostile_records())
    assert {tag for tag, _ in seen.elements} <= {tag for tag, _ in harmless.elements}
    names = {name for _, attributes in seen.elements for name in attributes}
    assert names <= {name for _, attributes in harmless.elements for name in attributes}
    assert seen.text.count(HOSTILE) >= 15
    for style in seen.attribute("style"):
        assert re.fullmatch(r"(width|left|--inset): [\d.]+%|flex: [\d.]+ 0 0", style)


def test_times_are_those_since_the_first_step(tmp_path: Path) -> None:
    seen = page(tmp_path, result(), hostile_records())
    assert "0.0000" in seen.text
    assert "2026-" in seen.text


# Reading what a run left


def test_records_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(record.to_json() + "\n" for record in records()), encoding="utf-8")
    assert read_events(tmp_path) == records()


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"\xff\n", "events.jsonl: cannot be read: "),
        (b"{}\n", "events.jsonl:1: not a journal record"),
        (records()[0].to_json().encode() + b"\n\n", "events.jsonl:2: not a journal record"),
        (records()[0].to_json().encode()[:-3], "events.jsonl:1: not a journal record"),
    ],
    ids=["no text", "another line", "empty line", "cut off"],
)
def test_a_broken_journal_is_named_with_its_line(tmp_path: Path, octets: bytes, said: str) -> None:
    (tmp_path / "events.jsonl").write_bytes(octets)
    with pytest.raises(ConfigError, match=said):
        read_events(tmp_path)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{tmp_path}/events.jsonl: cannot be read: No such file"):
        read_events(tmp_path)
