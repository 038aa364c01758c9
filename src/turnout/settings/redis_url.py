"""What is wrong with a Redis URL: found before anything connects, and reported without its password. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

SCHEMES = (
    "redis://",
    "rediss://",
    "unix://",
    "sentinel://",
    "rediss+sentinel://",
    "cluster://",
    "rediss+cluster://",
)
_ENCODE = "percent-encode what a URL reserves in user and password: # is %23, / is %2F, ? is %3F, @ is %40"


def problem_of(url: str) -> str:
    """What to do about the URL, "" where it is right."""
    if not url.startswith(SCHEMES):
        return f"must begin with one of {', '.join(SCHEMES)}"
    parts = urlsplit(url)
    if "#" in url or "@" in parts.path or "@" in parts.query:
        return f"holds a character that ends its host too early; {_ENCODE}"
    if parts.scheme == "unix":
        return "" if parts.path.strip("/") else "names no socket; write unix:///path/to/redis.sock"
    hosts = parts.netloc.rpartition("@")[2].split(",")
    several = parts.scheme.endswith(("sentinel", "cluster"))
    if not all(hosts) or (len(hosts) > 1 and not several):
        return "names no host; write redis://host:6379/0"
    if not all(map(_has_good_port, hosts)):
        return f"has a port that is no number up to 65535; {_ENCODE}"
    return _path_problem(parts.scheme, [part for part in parts.path.split("/") if part])


def _has_good_port(host: str) -> bool:
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return True
    return bool(name) and port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535


def _path_problem(scheme: str, path: list[str]) -> str:
    database = path
    if scheme.endswith("cluster"):
        return "names a database, which a cluster has none of; leave it out" if path else ""
    if scheme.endswith("sentinel"):
        if not path:
            return "names no service; write sentinel://host:26379/service/0"
        database = path[1:]
    if len(database) > 1 or (
        database and not (database[0].isascii() and database[0].isdigit() and len(database[0]) < 6)
    ):
        return "names a database that is no number; Redis' databases are 0, 1, 2, ..."
    return ""
