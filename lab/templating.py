"""The templates of configurations and pages, wherever this program is installed."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from lab.errors import MissingError


def shared(folder: str) -> Path:
    """Find `templates`, say: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    for place in (package.parent / folder, package / "share" / folder):
        if place.is_dir():
            return place
    raise MissingError(f"the folder {folder} is missing beside {package}: is the installation whole?")


def render(template: str, /, **values: Any) -> str:
    """Fill a template in; a value that is missing raises jinja2.UndefinedError."""
    return _environment().get_template(template).render(**values)


@cache  # it keeps what it has compiled
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(shared("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html", "html.j2"]),
        keep_trailing_newline=True,
    )
