"""The live page in a browser, of a lab that really runs: one drives, others watch."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from lab.emulation.running import process_of, sockets
from tests.lab.networks import ROOT
from tests.lab.session import PROMPT, Session, folders, marked
from tests.web.browser import CHROMIUM, Browser, Page, until

pytestmark = [pytest.mark.privileged, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")]

MOBILE, VISITED1, VISITED2 = ".mobile[data-name=mn]", "[data-name=visited1] .touch", "[data-name=visited2] .touch"
CAPTURED_WITHIN = 30


@dataclass
class Class:
    """A lab at its prompt, and the addresses of its page."""

    prompt: Session
    drive: str
    browser: Browser

    @property
    def watch(self) -> str:
        return self.drive.partition("#")[0]


@pytest.fixture(scope="module")
def lesson() -> Iterator[Class]:
    command = [sys.executable, "-m", "lab.cli.main", "up", "two_visited_links", "--web", "--web-bind", "127.0.0.1:0"]
    prompt = Session(command, {})
    try:
        said = prompt.hear(until=PROMPT)
        (drive,) = (word for word in said.split() if "#token=" in word)
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            Browser(Path(folder) / "profile") as browser,
        ):
            yield Class(prompt, drive, browser)
            assert browser.complaints == []
        assert prompt.end() == 0
    finally:
        prompt.close()
    assert marked(prompt.process.pid) == []
    assert folders(prompt.process.pid) == []


@pytest.fixture(autouse=True)
def _pages(lesson: Class) -> Iterator[None]:
    yield
    lesson.browser.close_pages()


def driver(lesson: Class) -> Page:
    page = lesson.browser.open(lesson.drive)
    page.until("document.body.classList.contains('drives')")
    page.until(f"document.querySelector('{MOBILE}')")
    return page


def drag(page: Page, to: str) -> None:
    """Drag the mobile node as a hand does, in steps."""
    (x, y), (end_x, end_y) = page.centre(MOBILE), page.centre(to)
    page.mouse("mousePressed", x, y)
    for step in (0.2, 0.5, 0.8, 1.0):
        page.mouse("mouseMoved", x + (end_x - x) * step, y + (end_y - y) * step)
    page.mouse("mouseReleased", end_x, end_y)


def exhaust(talk: ClientConnection) -> None:
    """Read to the end."""
    while True:
        talk.recv(10)


def shows_binding(page: Page, link: str) -> None:
    """Wait until the home agent's cache on the page has a care-of address of a link."""
    cache = "document.querySelector('[data-node=ha]').textContent"
    page.until(f"{cache}.includes('at 2001:db8:{link}:') && {cache}.includes('registered')")


def test_the_mobile_node_is_dragged_and_everybody_sees_it(lesson: Class) -> None:
    page = driver(lesson)
    assert "token" not in page.run("location.href")  # nobody reads it over a shoulder
    phone = lesson.browser.open(lesson.watch, width=390, height=844, dark=True)
    phone.until(f"document.querySelector('{MOBILE}')")
    lesson.prompt.ask("stream cn mn every=20ms")
    for each in (page, phone):
        each.until("document.querySelectorAll('.run').length >= 3")
    drag(page, VISITED1)
    for each in (page, phone):
        shows_binding(each, "a1")
        each.until(
            "[...document.querySelectorAll('#messages b')].some(b => b.textContent === 'Binding Acknowledgement')"
        )
        each.until("document.querySelector('.held.tunnel')")
        each.until("document.querySelector('#told').textContent.startsWith('mn moves from home to visited1')")
        each.until("document.querySelector('.delay').getAttribute('d').length > 20")
    assert "of 2001:db8:1::100  at 2001:db8:a1::" in lesson.prompt.ask("bindings ha")
    page.click("#messages summary")
    assert "IPv6" in page.run("document.querySelector('#messages details[open] .opened').innerText")
    for each, width in ((page, 1280), (phone, 390)):
        assert each.run("document.documentElement.scrollWidth") == width
    losses = lesson.prompt.ask("endstream cn-mn")
    assert "sent" in losses


def test_keys_do_what_a_mouse_does(lesson: Class) -> None:
    page = driver(lesson)
    page.run(f"document.querySelector('{MOBILE}').focus()")
    page.press("Enter")
    page.until("document.querySelector('dialog').open")
    page.run("[...document.querySelectorAll('dialog button')].find(b => b.textContent === 'visited2').focus()")
    page.press("Enter")
    shows_binding(page, "a2")
    assert page.run("document.querySelector('dialog').open") is False


def test_daemons_and_links_are_driven(lesson: Class) -> None:
    page = driver(lesson)
    page.click("[data-name=ha].press")
    page.run("[...document.querySelectorAll('dialog button')].find(b => b.textContent === 'Kill its daemon').click()")
    page.until("document.querySelector('[data-name=ha]').classList.contains('down')")
    page.click("[data-name=ha].press")
    page.run("[...document.querySelectorAll('dialog button')].find(b => b.textContent.startsWith('Restart')).click()")
    page.until("!document.querySelector('[data-name=ha]').classList.contains('down')")
    page.click(VISITED1)
    page.run(
        "document.querySelector('dialog [name=rate]').value = 2, document.querySelector('dialog form button').click()"
    )
    page.until("document.querySelector('[data-name=visited1] .impaired').textContent === '2 Mbit/s'")
    page.click(VISITED1)
    page.run(
        "document.querySelector('dialog [name=delay]').value = 10001,"
        " document.querySelector('dialog form').noValidate = true,"
        " document.querySelector('dialog form button').click()"
    )
    assert "delay=10.001: from 0 to 10 seconds" in page.until("document.querySelector('#said').textContent")
    lesson.prompt.ask("impair visited1")


def test_streams_are_started_and_ended(lesson: Class) -> None:
    page = driver(lesson)
    page.run("document.querySelector('#new-stream [name=source]').value = 'mn'")
    page.run("document.querySelector('#new-stream [name=destination]').value = 'cn'")
    page.click("#new-stream button")
    page.until("document.querySelector('#ends button').textContent === 'End mn-cn'")
    page.until("[...document.querySelectorAll('#flows h3')].some(h3 => h3.textContent.startsWith('mn → cn'))")
    page.click("#ends button")
    page.until("document.querySelector('#ends button') === null")
    assert "no stream runs" in lesson.prompt.ask("stream")


def test_who_has_no_token_only_watches(lesson: Class) -> None:
    page = lesson.browser.open(lesson.watch)
    place = page.until(f"document.querySelector('{MOBILE}').getAttribute('aria-label')")
    page.until("document.querySelector('#role').textContent === 'you watch'")
    drag(page, VISITED1)
    page.click(MOBILE)
    page.until("document.querySelector('dialog').open")
    assert page.run("document.querySelectorAll('dialog button').length") == 1  # to close it
    with connect(lesson.watch.replace("http", "ws") + "watch", proxy=None) as talk:
        for number, token in enumerate(("", "x" * 22, None)):
            move = {"node": "mn", "to": "visited1"}
            talk.send(json.dumps({"id": number, "token": token, "command": "move", "arguments": move}))
            while (told := json.loads(talk.recv(10)))["kind"] != "answer":
                pass
            assert (told["id"], told["ok"]) == (number, False)
            assert "you are watching" in told["error"]
    assert page.run(f"document.querySelector('{MOBILE}').getAttribute('aria-label')") == place


def test_pages_of_others_are_refused(lesson: Class) -> None:
    host = lesson.watch.removeprefix("http://").rstrip("/")
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(InvalidStatus):
            connect(f"ws://{host}/watch", additional_headers=headers, proxy=None)
    with connect(f"ws://{host}/watch", additional_headers={"Origin": f"http://{host}"}, proxy=None) as talk:
        assert json.loads(talk.recv(10))["kind"] == "snapshot"
        talk.send("x" * 100_000)
        with pytest.raises(ConnectionClosed):
            exhaust(talk)


def test_captures_so_far_are_whole(lesson: Class, tmp_path: Path) -> None:
    lesson.prompt.ask(f"capture home {tmp_path / 'home.pcapng'}")
    read = ["tshark", "-r", str(tmp_path / "home.pcapng"), "-Y", "icmpv6.type == 134", "-c", "50"]
    done = subprocess.run(read, capture_output=True, text=True, check=False, timeout=CAPTURED_WITHIN)
    assert "Router Advertisement" in done.stdout


def test_it_is_watched_as_text_too(lesson: Class, tmp_path: Path) -> None:
    def lines() -> str:
        return (tmp_path / "watched").read_text(encoding="utf-8")

    command = [sys.executable, "-m", "lab.cli.main", "watch", "--events", "--lab", str(lesson.prompt.process.pid)]
    with (tmp_path / "watched").open("wb") as file:
        watching = subprocess.Popen(command, stdout=file, stderr=file, cwd=ROOT)
    try:
        until(lambda: "ha:" in lines(), "bindings are shown")
        lesson.prompt.ask("move mn home")
        until(lambda: "ends the binding" in lines(), "the deregistration is shown")
        until(lambda: "mn: at home" in lines(), "the mobile node is home")
        until(lambda: "home again:" in lines(), "what the mobile node reports is shown")
        assert "\x1b" not in lines()
    finally:
        watching.terminate()
        assert watching.wait(10) == 128 + 15


def test_the_lab_is_found(lesson: Class) -> None:
    (socket,) = (path for path in sockets() if process_of(path) == str(lesson.prompt.process.pid))
    assert socket.stat().st_mode & 0o777 == 0o600
