"""lab/bootstrap: the real script on a copy of a checkout, with stand-ins for what would change the machine."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "lab" / "bootstrap"
PROGRAMS = {"ping": "iputils-ping", "mnexec": "mininet", "dumpcap": "wireshark-common", "tshark": "tshark"}
"""Programs that live outside the sbin folders, which the script looks into by itself."""
GUEST = "user-mode-linux"
BORROWED = [
    "cat",
    "chown",
    "cksum",
    "dirname",
    "env",
    "flock",
    "grep",
    "mkdir",
    "mktemp",
    "rm",
    "sh",
    "sleep",
    "touch",
    "true",
]

ID = 'echo "$FAKE_UID"'
SUDO = 'echo "sudo $*" >>"$RECORD"; [ -z "$SUDO_REFUSES" ] && exec "$@"'
APT_GET = """
echo "$DEBIAN_FRONTEND apt-get $*" >>"$RECORD"
case "$*" in *"$APT_FAILS"*) [ -n "$APT_FAILS" ] && { echo "E: no network"; exit 100; } ;; esac
exit 0
"""
KNOWS_THE_GUEST = 'echo "$2 | 6.1 | main"'
PYTHON = """
case "$*" in
--version) echo "Python 3.12.9" ;;
"-m venv "*)
    echo "venv" >>"$RECORD"
    mkdir -p "$3/bin"
    cat "$0" >"$3/bin/python"
    chmod +x "$3/bin/python"
    echo "VIRTUAL_ENV=$3" >"$3/bin/activate"
    ;;
"-m pip "*)
    echo "pip $*" >>"$RECORD"
    sleep "${PIP_TAKES:-0}"
    [ -z "$PIP_FAILS" ] || { echo "pip says no"; exit 1; }
    ;;
esac
"""


@dataclass
class Checkout:
    """A copy of a checkout and the machine that it is on."""

    root: Path
    bin: Path
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        return [str(self.root / "lab" / "bootstrap"), *arguments]

    def run(self, *arguments: str, uid: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=self.environment | {"FAKE_UID": str(uid)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def did(self) -> list[str]:
        """Give what was done since the last look."""
        record = Path(self.environment["RECORD"])
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return lines

    def install(self, name: str, body: str = "") -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(root=tmp_path / "a checkout", bin=tmp_path / "bin")
    (made.root / "lab").mkdir(parents=True)
    made.bin.mkdir()
    shutil.copy(SCRIPT, made.root / "lab")
    for name in ("requirements.lock", "pyproject.toml"):
        (made.root / name).write_text(f"# {name}\n", encoding="utf-8")
    for name in (*BORROWED, "chmod", "nsenter", "setpriv"):
        place = shutil.which(name)
        assert place is not None
        (made.bin / name).symlink_to(place)
    for name, body in {"id": ID, "sudo": SUDO, "apt-get": APT_GET, "python3": PYTHON}.items():
        made.install(name, body)
    for name in (*PROGRAMS, "ip", "nft", "radvd", "dnsmasq"):
        made.install(name)
    made.environment = {
        "PATH": str(made.bin),
        "RECORD": str(tmp_path / "record"),
        "APT_FAILS": "",
        "SUDO_REFUSES": "",
        "PIP_FAILS": "",
    }
    return made


def lacking_programs(checkout: Checkout) -> str:
    for program in PROGRAMS:
        (checkout.bin / program).unlink()
    return " ".join(PROGRAMS.values())


PIP = "pip -m pip --disable-pip-version-check --no-input install -q"


def pips(checkout: Checkout) -> list[str]:
    return [
        f"{PIP} --no-deps --require-hashes -r {checkout.root}/requirements.lock",
        f"{PIP} --no-deps --no-build-isolation -e {checkout.root}",
    ]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_shells_can_read_it(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    subprocess.run([shell, "-n", str(SCRIPT)], check=True)


def test_shellcheck_finds_nothing() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not here")
    assert subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False).stdout == ""


def test_a_fresh_machine_is_set_up(checkout: Checkout) -> None:
    packages = lacking_programs(checkout)
    done = checkout.run("sh", "-c", 'echo "$VIRTUAL_ENV|$PATH|$MIP6LAB_RAISE"')
    assert done.returncode == 0, done.stderr
    apt = "noninteractive apt-get -qy -o DPkg::Lock::Timeout=300"
    installed = [f"{apt} update", f"{apt} install --no-install-recommends {packages}"]
    assert checkout.did() == [*installed, "venv", *pips(checkout)]
    venv = checkout.root / ".venv"
    assert done.stdout.startswith(f"{venv}|{venv}/bin:{checkout.bin}:")
    assert done.stdout.endswith("|sudo\n")
    assert not (venv / ".unfinished").exists()
    assert [line.partition(": ")[2] for line in done.stderr.splitlines()] == [
        f"installing system packages: {packages}",
        "making .venv with Python 3.12.9",
        "installing Python packages of requirements.lock",
    ]


def test_a_guest_kernel_is_installed_where_apt_has_one(checkout: Checkout) -> None:
    checkout.install("apt-cache", KNOWS_THE_GUEST)
    packages = lacking_programs(checkout)
    assert checkout.run("true").returncode == 0
    apt = "noninteractive apt-get -qy -o DPkg::Lock::Timeout=300"
    everything = [f"{apt} update", *(f"{apt} install --no-install-recommends {it}" for it in (packages, GUEST))]
    assert checkout.did()[:3] == everything


def test_a_guest_kernel_that_apt_only_heard_of_is_not_asked_for(checkout: Checkout) -> None:
    checkout.install("apt-cache")  # Ubuntu's names the package in suggestions, and has none
    lacking_programs(checkout)
    assert checkout.run("true").returncode == 0
    assert not [line for line in checkout.did() if GUEST in line]


def test_what_only_tests_need_is_installed_only_for_ci(checkout: Checkout) -> None:
    checkout.install("pytest")
    for command, ci, installed in (("pytest", "", False), ("true", "true", False), ("pytest", "true", True)):
        assert checkout.run(command, CI=ci).returncode == 0
        assert any(line.endswith(" vagrant") for line in checkout.did()) is installed


def test_without_a_guest_kernel_it_goes_on(checkout: Checkout) -> None:
    checkout.install("apt-cache", KNOWS_THE_GUEST)
    done = checkout.run("true", APT_FAILS=GUEST)
    assert done.returncode == 0
    assert "bootstrap: going on without it\n" in done.stderr


def test_nobody_is_asked_for_a_password_for_a_guest_kernel_alone(checkout: Checkout) -> None:
    checkout.install("apt-cache", KNOWS_THE_GUEST)
    assert checkout.run("true", uid=1000).returncode == 0
    assert not [line for line in checkout.did() if "sudo" in line or "apt-get" in line]


def test_a_second_call_only_starts(checkout: Checkout) -> None:
    checkout.run("true")
    checkout.did()
    done = checkout.run("sh", "-c", 'echo "$1"; exit 7', "sh", "two words")
    assert (done.returncode, done.stdout, done.stderr) == (7, "two words\n", "")
    assert checkout.did() == []


def test_without_arguments_it_says_what_to_try(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0
    assert "lab/bootstrap mip6lab run handover" in done.stderr


def test_an_ordinary_user_installs_by_sudo(checkout: Checkout) -> None:
    packages = lacking_programs(checkout)
    assert checkout.run("true", uid=1000).returncode == 0
    raised = [line for line in checkout.did() if line.startswith("sudo")]
    assert raised[0] == "sudo true"
    assert raised[-1].startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get ")
    assert raised[-1].endswith(packages)


def test_without_root_and_sudo_it_says_what_is_needed(checkout: Checkout) -> None:
    packages = lacking_programs(checkout)
    (checkout.bin / "sudo").unlink()
    done = checkout.run("true", uid=1000)
    assert done.returncode == 1
    by_hand = f"somebody with root must run: apt-get install --no-install-recommends {packages}"
    assert done.stderr == f"bootstrap: there is neither root nor sudo here; {by_hand}\n"
    assert checkout.did() == []
    assert not (checkout.root / ".venv").exists()


def test_a_refusal_of_sudo_is_told(checkout: Checkout) -> None:
    lacking_programs(checkout)
    done = checkout.run("true", uid=1000, SUDO_REFUSES="yes")
    assert done.returncode == 1
    assert "sudo refused; somebody with root must run: apt-get install" in done.stderr


def test_a_machine_without_apt_is_told_what_is_missing(checkout: Checkout) -> None:
    packages = lacking_programs(checkout)
    (checkout.bin / "apt-get").unlink()
    done = checkout.run("true")
    assert done.returncode == 1
    assert done.stderr.strip().endswith(f"are missing: {packages}")


def test_nothing_missing_needs_neither_root_nor_sudo(checkout: Checkout) -> None:
    (checkout.bin / "sudo").unlink()
    (checkout.bin / "apt-get").unlink()
    assert checkout.run("true", uid=1000).returncode == 0
    assert checkout.did() == ["venv", *pips(checkout)]


def test_old_package_lists_may_do(checkout: Checkout) -> None:
    lacking_programs(checkout)
    done = checkout.run("true", APT_FAILS="update")
    assert done.returncode == 0
    assert "E: no network\nbootstrap: apt-get update failed" in done.stderr


def test_a_failing_installation_shows_why(checkout: Checkout) -> None:
    packages = lacking_programs(checkout)
    done = checkout.run("true", APT_FAILS="install")
    assert done.returncode == 1
    assert done.stderr.endswith(f"E: no network\nbootstrap: could not install: {packages}\n")


def test_an_interrupted_set_up_is_made_anew(checkout: Checkout) -> None:
    done = checkout.run("true", PIP_FAILS="yes")
    assert done.returncode == 1
    assert "pip says no\nbootstrap: could not install requirements.lock\n" in done.stderr
    checkout.did()
    assert checkout.run("true").returncode == 0
    assert checkout.did() == ["venv", *pips(checkout)]


def test_a_moved_checkout_is_set_up_anew(checkout: Checkout) -> None:
    checkout.run("true")
    checkout.did()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert checkout.run("true").returncode == 0
    assert checkout.did() == ["venv", *pips(checkout)]


def test_new_requirements_are_added(checkout: Checkout) -> None:
    checkout.run("true")
    checkout.did()
    (checkout.root / "requirements.lock").write_text("# more\n", encoding="utf-8")
    assert checkout.run("true").returncode == 0
    assert checkout.did() == pips(checkout)


def test_an_environment_made_by_hand_is_completed(checkout: Checkout) -> None:
    bin_folder = checkout.root / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    shutil.copy(checkout.bin / "python3", bin_folder / "python")
    (bin_folder / "activate").write_text(f"VIRTUAL_ENV={checkout.root}/.venv\n", encoding="utf-8")
    assert checkout.run("true").returncode == 0
    assert checkout.did() == pips(checkout)


def test_two_first_calls_make_one_environment(checkout: Checkout) -> None:
    environment = checkout.environment | {"FAKE_UID": "0", "PIP_TAKES": "0.3"}
    calls = [
        subprocess.Popen(checkout.command("true"), env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [call.communicate(timeout=30)[1] for call in calls]
    assert [call.returncode for call in calls] == [0, 0]
    assert sum("waiting for another call" in text for text in said) == 1
    assert checkout.did() == ["venv", *pips(checkout)]


def test_the_lock_is_not_kept_while_the_command_runs(checkout: Checkout) -> None:
    done = checkout.run("sh", "-c", f'flock -n "{checkout.root}/lab/bootstrap" true && echo free')
    assert done.stdout == "free\n"


def test_root_under_sudo_leaves_no_compiled_files(checkout: Checkout) -> None:
    show = ("sh", "-c", 'echo "$PYTHONDONTWRITEBYTECODE"')
    assert checkout.run(*show, SUDO_UID="1000").stdout == "1\n"
    assert checkout.run(*show, uid=1000).stdout == "\n"


@pytest.mark.privileged
def test_the_environment_belongs_to_the_owner_of_the_checkout(checkout: Checkout) -> None:
    os.chown(checkout.root, 65534, 65534)
    assert checkout.run("true").returncode == 0
    assert (checkout.root / ".venv" / "bin" / "python").stat().st_uid == 65534
