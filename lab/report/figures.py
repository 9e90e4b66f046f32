"""What all figures have in common: Matplotlib's SVG, fit for a page that is light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""A colour of nothing else, in whose place comes that of the text around."""
COLOURS = ("#2f80d0", "#d9730d", "#2a9d6f", "#b05cc6", "#c4527a", "#8a8a2a")
"""Of enough contrast with white as well as with black."""
STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "X")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")


@contextmanager
def figure(width: float, height: float, salt: str) -> Iterator[Figure]:
    """Make a figure, of inches; names in its SVG come from `salt`, so that two figures may be in one page."""
    # It takes longer to import than all else, and few commands draw.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    settings: Any = {
        **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK),
        "svg.fonttype": "none",
        "text.parse_math": False,
        "svg.hashsalt": salt,
        "font.size": 13,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#888888",
        "grid.alpha": 0.3,
        "hatch.color": INK,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
    }
    with mpl.rc_context(settings):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(drawn: Figure, *, background: str = "none") -> str:
    """Give a figure as an element of SVG; to be called while the figure is in use."""
    file = io.StringIO()
    drawn.savefig(file, format="svg", facecolor=background, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # What an element inside a page says of style would hold for the whole page.
    text = re.sub(r'<style type="text/css">.*?</style>', "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg [^>]*?)width="[^"]*pt" ', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?)height="[^"]*pt" ', r"\1", text, count=1)
    return text.replace("<svg ", '<svg stroke-linejoin="round" stroke-linecap="butt" ', 1)
