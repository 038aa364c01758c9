"""How an extra is installed: from the registry, or from the clone that this Turnout was installed from."""

from __future__ import annotations

import json
from importlib import metadata
from urllib.parse import unquote, urlsplit


def install_line(extra: str) -> str:
    """`pip install ...`, with this extra."""
    try:
        source = metadata.distribution("turnout").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        source = None
    return line_for(extra, source)


def line_for(extra: str, source: str | None) -> str:
    """source: the text of direct_url.json, which pip leaves where a package came from no registry."""
    origin = json.loads(source) if source else {}
    address = urlsplit(origin.get("url", ""))
    if address.scheme != "file":
        return f"pip install 'turnout[{extra}]'"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}'{unquote(address.path)}[{extra}]'"
