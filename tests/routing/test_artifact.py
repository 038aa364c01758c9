"""The file around a scorer's arrays: written whole or not at all, and read within bounds whatever it claims."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import tracemalloc
import zipfile
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from turnout.errors import ArtifactError
from turnout.routing.artifact import FORMAT, HEADER_MEMBER, MAX_UNPACKED_BYTES, SCHEMA, Artifact, load_artifact, save
from turnout.routing.features import FEATURE_VERSION

SMALL = Artifact(header={"a": 1}, arrays={"numbers": np.arange(3.0)})


def test_what_is_written_is_read_and_named_by_what_can_change_a_score(tmp_path: Path) -> None:
    """The same bytes every time; the version hangs on the arrays and the header, not on what is told of training."""
    for name in ("one", "two"):
        save(SMALL, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    read = load_artifact(tmp_path / "one")
    assert (dict(read.header), read.arrays["numbers"].tolist()) == ({"a": 1}, [0.0, 1.0, 2.0])
    actual = Artifact(header={"a": 1, "summary": {"date": "today"}}, arrays=SMALL.arrays)
    assert read.version == SMALL.version == actual.version
    others = [
        Artifact(header={"a": 2}, arrays=SMALL.arrays),
        Artifact(header=SMALL.header, arrays={"numbers": np.arange(3.0) + 1e-9}),
        Artifact(header=SMALL.header, arrays={"number": np.arange(3.0)}),
    ]
    assert len({SMALL.version, *(other.version for other in others)}) == 4


def test_what_cannot_be_written_leaves_the_older_file_and_nothing_beside_it(tmp_path: Path) -> None:
    """A header with a NaN, an array of objects: found half-way through."""
    file = tmp_path / "s"
    save(SMALL, file)
    before = file.read_bytes()
    for broken in (
        Artifact(header={"a": float("nan")}, arrays=SMALL.arrays),
        Artifact(header={"a": 2}, arrays={"a": np.arange(3.0), "b": np.array([{}], dtype=object)}),
    ):
        with pytest.raises(ValueError, match=r"not JSON compliant|allow_pickle"):
            save(broken, file)
        assert [path.name for path in tmp_path.iterdir()] == ["s"]
        assert file.read_bytes() == before


def _claiming(path: Path, name: str, data: bytes, size: int) -> None:
    """SMALL with this member, whose size is told as this one."""
    save(SMALL, path)
    with zipfile.ZipFile(path) as archive:
        members = {other: archive.read(other) for other in archive.namelist()}
    members.pop(name, None)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other, content in [*members.items(), (name, data)]:
            archive.writestr(other, content)
    whole = bytearray(path.read_bytes())
    directory = whole.rindex(b"PK\x01\x02")
    # What is told beside it has to fit, or it would be refused for that.
    struct.pack_into("<L", whole, directory + 16, crc32(data[:size]))
    struct.pack_into("<L", whole, directory + 24, size)
    path.write_bytes(whole)


def test_a_file_that_unpacks_to_more_than_any_scorer_is_refused(tmp_path: Path) -> None:
    """By the sizes that it tells, before a byte is unpacked; to just as much it would be read."""
    packed = io.BytesIO()
    np.save(packed, np.arange(3.0))
    _claiming(tmp_path / "bomb", "more.npy", packed.getvalue(), MAX_UNPACKED_BYTES)
    with pytest.raises(ArtifactError, match="unpacks to more than"):
        load_artifact(tmp_path / "bomb")


def test_a_file_that_tells_too_small_a_size_is_not_unpacked_beyond_it(tmp_path: Path) -> None:
    """A file of 70 KB whose array, or header, says that it holds some 200 bytes, and holds 64 MB."""
    zeros = bytes(64_000_000)
    packed = io.BytesIO()
    np.save(packed, np.zeros(10))
    for name in ("more.npy", "turnout.json"):
        _claiming(tmp_path / "liar", name, packed.getvalue() + zeros, len(packed.getvalue()))
        tracemalloc.start()
        try:
            with contextlib.suppress(ArtifactError):
                load_artifact(tmp_path / "liar")
            assert tracemalloc.get_traced_memory()[1] < 4_000_000
        finally:
            tracemalloc.stop()


def test_what_is_not_finite_not_numbers_or_older_is_refused(tmp_path: Path) -> None:
    """By its name, with what to do; what is read cannot be changed."""
    for name, array, actual in (
        ("nan", np.array([1.0, np.nan]), "values that are not finite"),
        ("words", np.array(["a"]), "not an array of plain numbers"),
        ("dates", np.array(["2026-01-01"], dtype="datetime64[D]"), "not an array of plain numbers"),
    ):
        save(Artifact(header={}, arrays={name: array}), tmp_path / "s")
        with pytest.raises(ArtifactError, match=rf"s: {name}\.npy (is|holds) {actual}"):
            load_artifact(tmp_path / "s")
    save(SMALL, tmp_path / "s")
    with pytest.raises(ValueError, match="read-only"):
        load_artifact(tmp_path / "s").arrays["numbers"][0] = 9.0
    for key, version, actual in (
        ("schema", SCHEMA - 1, "an older Turnout .*train again"),
        ("features", FEATURE_VERSION - 1, "an older Turnout .*train again"),
        ("schema", SCHEMA + 1, "a newer Turnout .*upgrade Turnout"),
        ("features", FEATURE_VERSION + 1, "a newer Turnout .*upgrade Turnout"),
        ("features", None, "no features version"),
        ("format", "other", "does not say 'turnout-scorer'"),
        ("header", [], "no header"),
    ):
        top = {"format": FORMAT, "schema": SCHEMA, "features": FEATURE_VERSION, "header": {}, key: version}
        with zipfile.ZipFile(tmp_path / "s", "w") as archive:
            archive.writestr(HEADER_MEMBER, json.dumps(top))
        with pytest.raises(ArtifactError, match=actual):
            load_artifact(tmp_path / "s")
