"""What the site makes of links that lead out of docs/: pictures come along, files of the repository are named.

A hook of mkdocs (`mkdocs build`): pages read the same on the site and in the repository.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

DOCS = Path(__file__).parent
ROOT = DOCS.parent
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Adds the benchmarks' pictures that pages show."""
    for page in sorted(DOCS.rglob("*.md")):
        for bang, _, path, _ in LINK.findall(page.read_text("utf-8")):
            target = _outside(page, path)
            if bang and target is not None:
                name = target.relative_to(ROOT).as_posix()
                if files.get_file_from_path(name) is None:
                    files.append(File(name, str(ROOT), config["site_dir"], use_directory_urls=False))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with a path in place of each link to a file that the site does not have."""
    source = Path(page.file.abs_src_path)

    def told(link: re.Match[str]) -> str:
        bang, text, path, _ = link.groups()
        target = _outside(source, path)
        if target is None:
            return link[0]
        if not target.exists():
            raise FileNotFoundError(f"{source}: {path}")
        name = target.relative_to(ROOT).as_posix()
        if bang:
            return f"![{text}]({Path(os.path.relpath(DOCS / name, source.parent)).as_posix()})"
        return f"{text} (`{name}` in the repository)" if text.strip("`/") not in name else f"`{name}`"

    return LINK.sub(told, markdown)


def _outside(page: Path, path: str) -> Path | None:
    """What the link leads to, where that is not below docs/."""
    target = (page.parent / path).resolve()
    return None if target.is_relative_to(DOCS) else target
