"""A second opinion on a result that somebody else brings: what its captures say, by the rules that are here."""

from pathlib import Path

from lab.errors import Mip6LabError
from lab.report.model import load
from lab.verify import Verdict, verify


def contradictions(folder: Path) -> list[str]:
    """Name the rules that the captures of a result break, or do not show, though it says that they hold.

    So nobody passes by changing the rules of his own checkout. What an exercise's attack breaks is no contradiction.
    """
    try:
        result = load(folder)
        checks = verify(sorted((folder / "captures").glob("*.pcapng")))
    except (Mip6LabError, OSError) as error:
        return [f"unreadable: {error}"]
    claimed = {check.id for check in result.checks if check.verdict is Verdict.PASSED}
    caught_by = result.attack.caught_by if result.attack else []
    return [
        check.id
        for check in checks
        if (check.verdict is Verdict.FAILED and check.id not in caught_by)
        or (check.verdict is Verdict.NOT_APPLICABLE and check.id in claimed)
    ]
