"""A command in a guest kernel: what it is given, what comes back, what it cannot do to the host, and how it ends."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab.emulation import guest
from lab.errors import GuestError
from tests.guest.guests import (
    BOOTED_WITHIN,
    PROGRAM,
    environment,
    folders,
    needs_guest,
    ordinary_folder,
    ordinary_user,
)
from tests.lab.networks import until
from tests.lab.session import marked

pytestmark = needs_guest

OUTSIDE = "/etc/mip6lab-was-here"
MUCH = 300_000
SCRIPT = f"""
tell() {{ echo "$1=$2"; }}
tell uid "$(id -u)"
tell folder "$PWD"
tell greeting "$GREETING"
tell input "$(wc -c)"
tell terminal "$(test -t 1 && echo yes || echo no)"
echo changed >file && tell file "$(cat file)"
echo changed >{OUTSIDE} && tell outside "$(cat {OUTSIDE})"
mkdir -p /mnt/host && mount -t hostfs -o / none /mnt/host
tell anew "$(touch /mnt/host{OUTSIDE} && echo written || echo refused)"
echo changed >lent/file; mkdir lent/folder; echo changed >lent/folder/file
ip link add veth0 type veth peer name veth1 && ip link add bridge0 type bridge && tell links made
ip link add tunnel0 type ip6tnl mode ip6ip6 local ::1 remote 2001:db8::2 && tell tunnel made
tc qdisc add dev veth0 root netem delay 10ms && tell netem made
ends="src 2001:db8::1 dst 2001:db8::2"
ip xfrm state add $ends proto route2 mode ro coa 2001:db8::3 && tell mip6 made
keys="auth hmac(sha1) 0x$(printf '01%.0s' $(seq 20)) enc cbc(aes) 0x$(printf '02%.0s' $(seq 16))"
ip xfrm state add $ends proto esp spi 0x100 mode transport $keys && tell esp6 made
tell tun "$(test -c /dev/net/tun && echo there)"
head -c {MUCH} /dev/zero | tr '\\0' x
echo
echo trouble >&2
exit 7
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of a user."""
    folder = ordinary_folder(tmp_path_factory.mktemp("home"))
    for made in (folder / "lent", folder / "file"):
        made.mkdir() if made.name == "lent" else made.write_text("as it was\n", encoding="utf-8")
        ordinary_folder(made)
    return folder


@pytest.fixture(scope="module", params=["ordinary user", pytest.param("root", marks=pytest.mark.privileged)])
def done(request: pytest.FixtureRequest, home: Path) -> "subprocess.CompletedProcess[str]":
    """Boot once for each kind of user, and run the script."""
    prefix = () if request.param == "root" else ordinary_user()
    return subprocess.run(
        [*prefix, *PROGRAM, "--lend", "lent", "--", "sh", "-c", SCRIPT],
        cwd=home,
        env=environment(home) | {"GREETING": "it's me"},
        input="not for the guest",
        capture_output=True,
        text=True,
        check=False,
        timeout=BOOTED_WITHIN,
    )


def told(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    lines = done.stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_status_output_and_complaints_come_back(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 7, done.stderr
    assert done.stdout.endswith(f"\n{'x' * MUCH}\n")
    assert done.stderr.splitlines()[-1] == "trouble"


def test_the_command_is_root_where_it_would_be_on_the_host(
    done: "subprocess.CompletedProcess[str]", home: Path
) -> None:
    found = told(done)
    assert (found["uid"], found["folder"], found["greeting"]) == ("0", str(home), "it's me")
    assert (found["input"], found["terminal"]) == ("0", "no")


def test_what_is_changed_stays_in_the_guest(done: "subprocess.CompletedProcess[str]", home: Path) -> None:
    assert (told(done)["file"], told(done)["outside"]) == ("changed", "changed")
    assert (home / "file").read_text(encoding="utf-8") == "as it was\n"
    assert not Path(OUTSIDE).exists()


def test_the_host_s_files_mounted_anew_are_no_way_out(done: "subprocess.CompletedProcess[str]") -> None:
    """Root of the guest may mount; on the host it is nobody who writes."""
    assert told(done)["anew"] == "refused"
    assert not Path(OUTSIDE).exists()


def test_what_is_lent_is_changed_and_belongs_to_the_user(done: "subprocess.CompletedProcess[str]", home: Path) -> None:
    assert done.returncode == 7
    for file in ("lent/file", "lent/folder/file"):
        assert (home / file).read_text(encoding="utf-8") == "changed\n"
        assert (home / file).stat().st_uid == (home / "lent").stat().st_uid


@pytest.mark.parametrize("what", ["links", "tunnel", "netem", "mip6", "esp6"])
def test_the_kernel_has_what_this_machine_s_may_lack(done: "subprocess.CompletedProcess[str]", what: str) -> None:
    assert told(done).get(what) == "made", done.stderr
    assert told(done)["tun"] == "there"


def test_doctor_knows_the_modules() -> None:
    assert guest.modules() >= guest.MODULES_OF_USE


class Runner:
    """A guest with a command that does not end, and whoever runs it."""

    def __init__(self, command: str, output: Path) -> None:
        with output.open("wb") as file:
            self.process = subprocess.Popen([*PROGRAM, "--", "sh", "-c", command], stdout=file, stderr=file)
        self._output = output

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.said(), text)

    def said(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")


def test_a_guest_that_dies_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    runner = Runner("echo c >/proc/sysrq-trigger; sleep 1000", tmp_path / "output")
    assert runner.process.wait(BOOTED_WITHIN) == 2
    assert "the guest kernel ended before its command did; the last that it said:\n" in runner.said()
    assert "sysrq" in runner.said()
    assert marked(runner.process.pid) == []
    assert folders(runner.process.pid) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_runner_ends_the_guest(how: signal.Signals, tmp_path: Path) -> None:
    runner = Runner("echo running; sleep 1000", tmp_path / "output")
    runner.wait_for("running\n")
    assert marked(runner.process.pid)
    runner.process.send_signal(how)
    runner.process.wait(BOOTED_WITHIN)
    until(lambda: marked(runner.process.pid) == [], "no process of the guest is left")
    if how is not signal.SIGKILL:
        assert folders(runner.process.pid) == []


def test_the_next_guest_removes_what_a_killed_runner_left(tmp_path: Path) -> None:
    left = Path(tempfile.mkdtemp(prefix="mip6lab-guest-1-0-"))
    with pytest.raises(KeyboardInterrupt), guest.Guest(guest.Job(command=["true"])):
        raise KeyboardInterrupt
    assert not left.exists()
    assert folders(os.getpid()) == []


def test_silence_is_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "SILENCE", 0.01)
    with pytest.raises(GuestError, match="no sign of life"):
        guest.run(guest.Job(command=["true"]))
    assert folders(os.getpid()) == []
