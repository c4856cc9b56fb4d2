"""What the site needs beside pages: links out of it, doctests and roles as code."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|meth|mod|data|attr|exc):`(~?)([\w.]+)`")
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Name files of the project that are no pages: a site of pages cannot link to them."""
    return _OUTSIDE.sub(r"\1 (`\2`)", markdown)


class Docstrings(griffe.Extension):
    """Fences examples, which markdown would take for quotations; names by roles are code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.docstring is not None and not obj.is_alias:
            obj.docstring.value = _ROLE.sub(_named, fenced(obj.docstring.value))


def _named(role: re.Match[str]) -> str:
    """What a role names, of ``~a.b.c`` the last part."""
    name = role[2].rpartition(".")[2] if role[1] else role[2]
    return f"`{name}`"


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
