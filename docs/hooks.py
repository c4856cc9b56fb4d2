"""What the site needs beside pages: links out of it, and doctests as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the project that are no pages: a site of pages cannot link to them."""
    return _OUTSIDE.sub(r"\1 (`\2`)", markdown)


class Doctests(griffe.Extension):
    """Fences the examples of docstrings, which markdown would take for quotations."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(docstring: str) -> str:
    """Put every run of lines from ``>>>`` to the next empty line between fences."""
    lines: list[str] = []
    inside = False
    for line in docstring.splitlines():
        begins = line.lstrip().startswith(">>> ")
        if begins and not inside:
            lines += ["```python"]
            inside = True
        if inside and not line.strip():
            lines += ["```"]
            inside = False
        lines.append(line)
    return "\n".join([*lines, *(["```"] if inside else [])])
