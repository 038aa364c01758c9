"""A command's file is written whole or not at all, over nothing that is not its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from turnout.atomic_file import replacing


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A full disk, an interrupt, a defect."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(tmp_path: Path) -> None:
    """Anybody may lay one in a shared folder."""
    (tmp_path / "victim").write_bytes(b"another's")
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "victim")
    with replacing(path) as file:
        file.write(b"new")
    assert (tmp_path / "victim").read_bytes() == b"another's"
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"


def test_permissions_are_those_of_the_file_replaced(tmp_path: Path) -> None:
    """Else the umask's; of a private one the owner's alone."""
    kept, private, plain = (tmp_path / name for name in ("kept", "private", "plain"))
    kept.touch(mode=0o600)
    umask = os.umask(0o027)
    try:
        for path, is_private in ((kept, False), (private, True), (plain, False)):
            with replacing(path, private=is_private) as file:
                file.write(b"x")
    finally:
        os.umask(umask)
    assert [path.stat().st_mode & 0o777 for path in (kept, private, plain)] == [0o600, 0o600, 0o640]


def test_a_file_named_like_a_part_of_it_is_another(tmp_path: Path) -> None:
    """No name beside it is taken."""
    (tmp_path / "file.part").write_bytes(b"notes")
    with replacing(tmp_path / "file") as file:
        file.write(b"x")
    assert (tmp_path / "file.part").read_bytes() == b"notes"
