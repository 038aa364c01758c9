"""Where the commands write: refused before the work is done, and never over what is something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.cli import main
from turnout.cli.output_files import naming_write_errors
from turnout.errors import TurnoutError
from turnout.routing.artifact import is_ours

pytestmark = pytest.mark.usefixtures("light")

ROWS = "prompt,cheap_quality,expensive_quality\n" + "".join(
    f"{'add ' * (row % 7)}{row},{int(row % 7 < 3)},1\n" for row in range(60)
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Labelled logs."""
    path = tmp_path / "logs.csv"
    path.write_text(ROWS)
    return path


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """What a command that is used wrongly says."""
    assert main(argv) == 2
    return capsys.readouterr().err


def test_the_logs_are_never_written_over(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By their name, by a link to them, by a picture of them."""
    link = logs.with_name("link.turnout")
    link.symlink_to(logs)
    for argv in (
        ("train", str(logs), "-o", str(logs)),
        ("train", str(logs), "-o", str(link)),
        ("train", str(logs), "-o", str(logs.with_name("new")), "--plot", str(logs)),
        ("evaluate", str(logs), "--plot", str(logs)),
    ):
        assert "one of the logs" in refused(capsys, *argv)
    assert logs.read_text() == ROWS
    assert not logs.with_name("new").exists()


def test_the_scorer_and_its_picture_are_two_files(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one name, by a relative one, by a link to the folder or to the file; where it is there already and not."""
    monkeypatch.chdir(logs.parent)
    Path("folder").symlink_to(logs.parent, target_is_directory=True)
    Path("link").symlink_to("new")
    Path("twin").touch()
    Path("hard").hardlink_to("twin")
    new = str(logs.parent / "new")
    for scorer, picture in ((new, new), (new, "new"), ("new", "./folder/new"), ("link", new), ("twin", "hard")):
        assert "is what -o names too" in refused(capsys, "train", "logs.csv", "-o", scorer, "--plot", picture)
    assert not Path("new").exists()


def test_another_file_is_not_written_over(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by a scorer nor by a picture."""
    other = logs.with_name("app.py")
    other.write_text("print()")
    assert "is not a scorer file" in refused(capsys, "train", str(logs), "-o", str(other))
    assert "is not a picture that turnout drew" in refused(capsys, "evaluate", str(logs), "--plot", str(other))
    assert other.read_text() == "print()"


def test_a_picture_keeps_to_its_suffix_and_to_its_own_place(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No PNG is written into a .jpg, and nobody else's PNG is lost."""
    assert "name it curve.png" in refused(capsys, "evaluate", str(logs), "--plot", str(logs.with_name("curve.jpg")))
    other = logs.with_name("photo.png")
    other.write_bytes(b"\x89PNG\r\n\x1a\n and the rest of a photo")
    assert "is not a picture that turnout drew" in refused(capsys, "evaluate", str(logs), "--plot", str(other))
    assert other.read_bytes().endswith(b"a photo")


def test_a_place_that_cannot_be_written_is_told_before_the_work(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is missing, a folder for a file."""
    assert "is not a folder" in refused(capsys, "train", str(logs), "-o", str(logs.parent / "none" / "scorer"))
    assert "is a folder" in refused(capsys, "train", str(logs), "-o", str(logs.parent))
    assert "is not a folder" in refused(capsys, "evaluate", str(logs), "--plot", str(logs.parent / "none" / "a.png"))


def test_a_scorer_takes_an_older_ones_place(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And a picture a picture's; an empty file is nobody's."""
    scorer, picture = logs.with_name("scorer"), logs.with_name("a.png")
    scorer.touch()
    argv = ("train", str(logs), "-o", str(scorer), "--embedding", "none", "--plot", str(picture))
    for _ in range(2):
        assert main(argv) == 0
    assert is_ours(scorer)
    assert sorted(path.name for path in logs.parent.iterdir()) == ["a.png", "logs.csv", "scorer"]


def test_a_disk_that_fills_up_is_told(tmp_path: Path) -> None:
    """With the file's name."""
    with pytest.raises(TurnoutError, match="scorer: cannot be written: No space"), naming_write_errors("scorer"):
        raise OSError(28, "No space left on device")
