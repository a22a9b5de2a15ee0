"""Templates of the pages that a person reads."""

from functools import lru_cache
from pathlib import Path

import jinja2


@lru_cache
def html_template(name: str, *folders: Path) -> jinja2.Template:
    """Return a template of HTML, of this package or of further folders; all that is put into it is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
