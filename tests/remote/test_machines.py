"""The file of machines, destinations, what Vagrant tells, and what a result of somebody else may be."""

import io
import tarfile
import tomllib
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.errors import ConfigError, RemoteError
from lab.remote.grade import read
from lab.remote.machines import Machine, Machines, SshHost, VagrantMachine, machines_file, parse_destination
from lab.remote.parcel import files_of, pack, unpack
from lab.remote.session import Lines
from lab.remote.vagrant import host_of, locate
from tests.remote.checkouts import ROOT

FROM_VAGRANT = """Host debian
  HostName 127.0.0.1
  User vagrant
  Port 2222
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  IdentityFile "/home/a teacher/.vagrant/private_key"
  IdentitiesOnly yes
"""


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("lab1", SshHost(host="lab1")),
        ("alice@lab1.example.org", SshHost(host="lab1.example.org", user="alice")),
        ("alice@192.0.2.1:2222", SshHost(host="192.0.2.1", user="alice", port=2222)),
        ("alice@[2001:db8::1]:2222", SshHost(host="2001:db8::1", user="alice", port=2222)),
        ("[fe80::1%eth0]", SshHost(host="fe80::1%eth0")),
    ],
)
def test_destinations(text: str, host: SshHost) -> None:
    assert parse_destination(text) == host
    assert str(host) == text


@pytest.mark.parametrize(
    "text",
    ["", "@host", "a@b@c", "host:", "host:port", "host:0", "host:65536", "2001:db8::1", "-oProxyCommand=x", "a b"],
)
def test_what_is_no_destination(text: str) -> None:
    with pytest.raises(ConfigError, match="is no destination: write user@host"):
        parse_destination(text)


def test_machines_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "machines.toml"
    machines = [
        Machine(name="alice", place=SshHost(host="lab1", user="a", port=22, key=Path('/k/é "q" \\'))),
        Machine(name="box-2.b", place=VagrantMachine(machine="debian", project=Path("/p")), folder="there/lab"),
    ]
    for machine in machines:
        Machines(path).add(machine)
    assert Machines(path).named([]) == machines
    assert [*tomllib.loads(path.read_text(encoding="utf-8"))] == ["alice", "box-2.b"]
    Machines(path).remove(["alice"])
    assert Machines(path).named([]) == machines[1:]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_names(tmp_path: Path) -> None:
    machines = Machines(tmp_path / "machines.toml")
    machines.add(Machine(name="alice", place=SshHost(host="lab1")))
    with pytest.raises(ConfigError, match=r"alice is there already \(lab1\): mip6lab remote remove alice"):
        machines.add(Machine(name="alice", place=SshHost(host="lab2")))
    for name in ("", "../up", "a/b", "-x", "a b"):
        with pytest.raises(ConfigError, match="is no name for a machine"):
            machines.add(Machine(name=name, place=SshHost(host="lab1")))
    with pytest.raises(ConfigError, match="no machine bob; known: alice"):
        machines.named(["alice", "bob"])
    assert len(machines.named(["alice", "alice"])) == 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[a", "Expected"),
        ("a = 1", r"\[a\]: must be a table"),
        ("[a]\n", "found nothing"),
        ("[a]\nssh = 5", "ssh must be a text"),
        ('[a]\nssh = "x y"', "is no destination"),
        ('[a]\nssh = "x"\npassword = "p"', "found password, ssh"),
        ('[a]\nvagrant = "x"', "found vagrant"),
        ('["a/b"]\nssh = "x"', "is no name"),
    ],
)
def test_a_wrong_file_is_told(text: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "machines.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"machines\.toml: .*{fault}"):
        Machines(path)


def test_the_file_is_among_the_user_s_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert machines_file() == tmp_path / "mip6lab" / "machines.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/teacher")
    assert machines_file() == Path("/home/teacher/.config/mip6lab/machines.toml")


def test_vagrant_tells_where_its_machine_is() -> None:
    host = SshHost(host="127.0.0.1", user="vagrant", port=2222, key=Path("/home/a teacher/.vagrant/private_key"))
    assert host_of(FROM_VAGRANT, "debian") == host
    with pytest.raises(RemoteError, match="does not tell its 'user'"):
        host_of("Host debian\n  HostName 127.0.0.1\n", "debian")


@pytest.mark.parametrize(
    ("script", "fault"),
    [("echo 'not created' >&2; exit 1", "vagrant ssh-config debian: not created"), (None, "vagrant is missing")],
)
def test_a_machine_that_vagrant_does_not_have(
    script: str | None, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "vagrant").write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
        (tmp_path / "vagrant").chmod(0o755)
    with pytest.raises(RemoteError, match=fault):
        locate(VagrantMachine(machine="debian", project=tmp_path))


def test_a_checkout_goes_without_what_is_made() -> None:
    names = {*files_of(ROOT)}
    assert {"lab/bootstrap", "lab/remote/parcel.py", "README.md", "requirements.lock"} <= names
    assert not [name for name in names if ".venv/" in name or "__pycache__" in name or name.startswith("results/")]


def test_a_checkout_without_git(tmp_path: Path) -> None:
    for name in (
        "lab/bootstrap",
        ".venv/bin/python",
        "results/x/result.json",
        "lab/__pycache__/a.pyc",
        ".mypy_cache/a",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [*files_of(tmp_path)] == ["lab/bootstrap"]


def test_files_come_as_they_went(tmp_path: Path) -> None:
    script = tmp_path / "it"
    script.write_bytes(b"octets")
    brought = unpack(io.BytesIO(pack({"deep/name": script})), tmp_path / "there")
    assert [path.relative_to(tmp_path / "there") for path in brought] == [Path("deep/name")]
    assert brought[0].read_bytes() == b"octets"
    assert [entry.name for entry in (tmp_path / "there").iterdir()] == ["deep"]


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out"])
def test_files_outside_are_left_out(name: str, tmp_path: Path) -> None:
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name))
    octets.seek(0)
    assert unpack(octets, tmp_path / "in" / "here") == []
    assert [entry.name for entry in tmp_path.rglob("*")] == ["in", "here"]


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="no archive"):
        unpack(io.BytesIO(b"nothing of the kind" * 100), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"scenario": "x", "ok": true, "error": null}',
        '{"scenario": "x", "checks": [1]}',
        "\x00",
    ],
)
def test_a_result_may_be_anything(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text, encoding="utf-8")
    played = read(path)
    assert not played.passed
    assert played.fault is not None


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["add", "alice"], "say where it is: USER@HOST[:PORT], or --vagrant MACHINE"),
        (["add", "alice", "lab1", "--vagrant", "debian"], "say where it is"),
        (["add", "alice", "--vagrant", "debian", "-i", "key"], "leave -i out"),
        (["run", "alice"], "say what to play: mip6lab remote run NAME... -- SCENARIO"),
        (["run", "alice", "--", "handover", "--out", "x"], "before the --"),
        (["run", "alice", "--", "handover"], "no machine alice; known: none"),
        (["grade", "--", "handover"], "takes nothing behind --"),
        (["fetch"], "has no machines yet: mip6lab remote add NAME user@host"),
    ],
)
def test_what_cannot_be_meant_is_told(
    words: list[str], fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subcommand, *rest = words
    assert main(["remote", subcommand, "--machines-file", str(tmp_path / "machines.toml"), *rest]) == 2
    assert fault in capsys.readouterr().err


def test_a_machine_of_vagrant_is_added(tmp_path: Path) -> None:
    path = tmp_path / "machines.toml"
    words = ["box", "--vagrant", "debian", "--project", str(tmp_path), "--folder", "~/there"]
    assert main(["remote", "add", "--machines-file", str(path), *words]) == 0
    (machine,) = Machines(path).named([])
    assert machine == Machine(name="box", place=VagrantMachine(machine="debian", project=tmp_path), folder="there")


def test_lines_come_whole_whatever_the_pieces() -> None:
    """And without what would have a terminal do something."""
    said: list[str] = []
    lines = Lines(said.append)
    for piece in (b"on", b"e\r\n\x1b]2;two\a\n\nth", "r\xe9e".encode()[:2], "r\xe9e".encode()[2:]):
        lines(piece)
    lines.close()
    assert said == ["one", " ]2;two ", "", "thrée"]
    assert lines.last == "thrée"
