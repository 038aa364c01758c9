"""A scorer file: a zip of plain arrays and one JSON header. Nothing in it is ever executed.

    turnout.json    {"format": "turnout-scorer", "schema": 6, "features": 3, "header": {...}}
    <name>.npy      one array each, of numbers only

Reading checks before it believes: the format's name, the versions, the sizes, every array's kind.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from turnout.atomic_file import replacing
from turnout.errors import ArtifactError
from turnout.routing.features import FEATURE_VERSION

FORMAT = "turnout-scorer"
SCHEMA = 6
HEADER_MEMBER = "turnout.json"

# A file as we write it is under 5 MB unpacked: anything far beyond is not ours, or a zip bomb.
MAX_UNPACKED_BYTES = 256 * 1024 * 1024
_KINDS = "biuf"
# The zip format's earliest date: the same scorer gives the same bytes whenever it is written.
_EPOCH = (1980, 1, 1, 0, 0, 0)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """header: what scores (`scorer`) and what tells about it (`summary`). arrays: by name."""

    header: Mapping[str, Any]
    arrays: Arrays

    @property
    def version(self) -> str:
        """A hash of all that can change a score; the summary, with its date, is left out."""
        fields = {key: value for key, value in self.header.items() if key != "summary"}
        digest = hashlib.sha256(json.dumps([FEATURE_VERSION, fields], sort_keys=True).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]


def save(artifact: Artifact, path: Path) -> None:
    """Writes exactly this path, whole or not at all. Raises OSError."""
    top = {"format": FORMAT, "schema": SCHEMA, "features": FEATURE_VERSION, "header": dict(artifact.header)}
    with replacing(path) as file:
        _write(file, top, artifact.arrays)


def _write(file: IO[bytes], top: Mapping[str, Any], arrays: Arrays) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_member(HEADER_MEMBER), json.dumps(top, indent=1, sort_keys=True, allow_nan=False))
        for name in sorted(arrays):
            packed = io.BytesIO()
            np.save(packed, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(_member(f"{name}.npy"), packed.getvalue())


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def is_ours(path: Path) -> bool:
    """Whether the file is a scorer file by its looks, of whatever version: what may be written over by another."""
    try:
        with zipfile.ZipFile(path) as archive:
            return HEADER_MEMBER in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def load_artifact(path: Path) -> Artifact:
    """Reads a file written by `save`. Raises ArtifactError, which says what is wrong and what to do."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive, path)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file; write one with `turnout train LOGS -o {path}`") from error
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise ArtifactError(
            f"{path}: not a scorer file, or a damaged one; train it again with `turnout train`"
        ) from error


def _read(archive: zipfile.ZipFile, path: Path) -> Artifact:
    if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED_BYTES:
        raise ArtifactError(f"{path}: unpacks to more than {MAX_UNPACKED_BYTES} bytes; not a scorer file")
    header = _header(archive, path)
    arrays = {
        info.filename.removesuffix(".npy"): _array(archive, info, path)
        for info in archive.infolist()
        if info.filename.endswith(".npy")
    }
    return Artifact(header=header, arrays=arrays)


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member, up to the size that the archive states: `ZipFile.read` would unpack all that is there, then cut it."""
    with archive.open(info) as member:
        return member.read(info.file_size)


def _header(archive: zipfile.ZipFile, path: Path) -> Mapping[str, Any]:
    try:
        top = json.loads(_unpacked(archive, archive.getinfo(HEADER_MEMBER)))
    except (KeyError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a scorer file (it holds no readable {HEADER_MEMBER})") from error
    if not isinstance(top, dict) or top.get("format") != FORMAT:
        raise ArtifactError(f"{path}: not a scorer file (its header does not say {FORMAT!r})")
    for key, ours in (("schema", SCHEMA), ("features", FEATURE_VERSION)):
        theirs = top.get(key)
        if not isinstance(theirs, int):
            raise ArtifactError(f"{path}: a damaged scorer file (no {key} version)")
        if theirs > ours:
            raise ArtifactError(
                f"{path}: written by a newer Turnout ({key} version {theirs}, this one reads {ours}); "
                "upgrade Turnout, or train again with this version"
            )
        if theirs < ours:
            raise ArtifactError(
                f"{path}: written by an older Turnout ({key} version {theirs}, this one reads {ours}); "
                "train again with `turnout train`"
            )
    header = top.get("header")
    if not isinstance(header, dict):
        raise ArtifactError(f"{path}: a damaged scorer file (no header)")
    return header


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    try:
        array = np.load(io.BytesIO(_unpacked(archive, info)), allow_pickle=False)
    except (ValueError, MemoryError) as error:
        raise ArtifactError(f"{path}: {info.filename} is not an array of plain numbers") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in _KINDS:
        raise ArtifactError(f"{path}: {info.filename} is not an array of plain numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ArtifactError(f"{path}: {info.filename} holds values that are not finite")
    array.flags.writeable = False
    return array
