"""Files on their way to another machine and back, as tar archives."""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lab.errors import MissingError, RemoteError

BOOTSTRAP = "lab/bootstrap"
_NOT_OURS = {".git", ".venv", ".vagrant", "results", "dist", "__pycache__"}
_RESULT = "result.json"


def checkout() -> Path:
    """Find the checkout that this program runs from; raises `MissingError` if it was installed without one."""
    root = Path(__file__).parents[2]
    if not (root / BOOTSTRAP).exists():
        raise MissingError(f"{root} is no checkout: run mip6lab from a clone, which is what other machines get")
    return root


def pack(files: Mapping[str, Path]) -> bytes:
    """Make an archive of files under the names that they are to have."""
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz", compresslevel=6) as archive:
        for name, path in files.items():
            archive.add(path, name, recursive=False)
    return octets.getvalue()


def files_of(root: Path) -> dict[str, Path]:
    """Give the files of a checkout as they are now: what git knows and does not ignore, else what is likely ours.

    Names are paths below `root`.
    """
    listed = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (root / ".git").exists() and shutil.which("git"):
        known = subprocess.run(listed, capture_output=True, check=False)
        if known.returncode == 0:
            names = sorted(name for name in known.stdout.decode().split("\0") if name)
            return {name: root / name for name in names if (root / name).is_file()}
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): path for path in paths if _is_ours(path.relative_to(root))}


def _is_ours(path: Path) -> bool:
    return not any(part in _NOT_OURS or part.endswith("_cache") for part in path.parts)


def unpack(archive: BinaryIO, into: Path) -> list[Path]:
    """Lay down the files of an archive that somebody else made; give their paths.

    Only ordinary files below `into` are taken. The folder of a result replaces the earlier one. Raises `RemoteError`
    for what is no archive.
    """
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".arriving-") as made:
        beside = Path(made)
        names = [*_lay_down(archive, beside)]
        for name in names:
            if name.name == _RESULT:
                shutil.rmtree(into / name.parent, ignore_errors=True)
        for name in names:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).replace(into / name)
    return [into / name for name in names]


def _lay_down(archive: BinaryIO, folder: Path) -> Iterator[Path]:
    try:
        with tarfile.open(fileobj=archive, mode="r|gz") as members:
            for member in members:
                path = PurePosixPath(member.name)
                content = members.extractfile(member) if member.isreg() else None
                if content is None or path.is_absolute() or ".." in path.parts:
                    continue
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with (folder / path).open("wb") as file:
                    shutil.copyfileobj(content, file)
                yield Path(path)
    except (tarfile.TarError, EOFError) as error:
        raise RemoteError(f"what came is no archive: {error}") from error
