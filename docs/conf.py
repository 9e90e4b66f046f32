"""The documents as a site, by Sphinx: `lab/bootstrap sphinx-build -W docs results/site`."""

import contextlib
import io
import os
import re
from collections.abc import Iterator

from sphinx.application import Sphinx

from lab.cli.main import COMMANDS, main

project = "mip6lab"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "mip6lab"
autodoc_member_order = "bysource"
default_role = "code"
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # languages that are shown as they are: csv, mermaid
_BESIDE = re.compile(r"\[([^\]]+)\]\((?:LICENSE|CHANGELOG\.md)\)")
"""Links to what is no page of the site."""
_HELP = "<!-- help -->"
_COLUMNS = "100"


def setup(app: Sphinx) -> None:
    """Change what is read: the README is the first page, and commands say what they do."""
    app.connect("source-read", _read)
    app.connect("include-read", lambda app, _, page, content: _read(app, page, content))


def _read(_app: Sphinx, _page: str, content: list[str]) -> None:
    text = _BESIDE.sub(r"\1", content[0]).replace("](../README.md", "](index.md")
    content[0] = text.replace(_HELP, "\n".join(_commands())) if _HELP in text else text


def _commands() -> Iterator[str]:
    """Give a section for each command, with what it says of itself."""
    os.environ["COLUMNS"] = _COLUMNS
    for name in COMMANDS:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            main([name, "--help"])
        yield f"## `mip6lab {name}`\n\n```text\n{said.getvalue()}```\n"
