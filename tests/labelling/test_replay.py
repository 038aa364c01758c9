"""What a prompt is, and the file that labelled rows are added to: the parts of a replay that need no provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout.errors import LogError
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.prompts import Intake, digest_of, in_turn, plain, read
from turnout.logs.files import Broken, rows_of


def test_a_prompt_is_the_same_in_every_shape_and_another_in_another_group() -> None:
    """A text, one user's message, a row of a log: one digest."""
    message = {"role": "user", "content": "q"}
    assert digest_of("q", "") == digest_of((message,), "") != digest_of("q", "g")
    assert plain((message,)) == "q"
    for more in ({"role": "user", "content": "q", "name": "n"}, {"role": "system", "content": "q"}):
        assert plain((more,)) == (more,)


def test_rows_that_are_done_or_repeated_are_not_read_twice(tmp_path: Path) -> None:
    """By prompt and group, whatever their ids: another prompt of the same id is another row."""
    file = tmp_path / "log.jsonl"
    rows = [
        {"prompt": "a"},
        {"prompt": "a"},
        {"prompt": "a", "group": "g"},
        {"prompt": "b", "id": "7"},
        {"prompt": "d", "id": "7"},
        {"prompt": "c", "id": "8"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    intake = Intake()
    told = list(read(file, frozenset({"7", digest_of("c", "")}), intake))
    assert [(prompt.prompt, prompt.group) for prompt in told] == [("a", ""), ("a", "g"), ("b", ""), ("d", "")]
    assert (intake.rows, intake.repeated, intake.already) == (6, 1, 1)


def test_a_file_of_other_columns_is_not_added_to(tmp_path: Path) -> None:
    """Nor is one that is no labelled log; nothing in it is changed."""
    other = "prompt,cheap_quality,expensive_quality\na,0,1\n"
    (tmp_path / "other.csv").write_text(other)
    with pytest.raises(LogError, match="name a new file"):
        LabelledFile(tmp_path / "other.csv")
    assert (tmp_path / "other.csv").read_text() == other
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(LogError, match="no column"):
        LabelledFile(tmp_path / "other.jsonl")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("other.csv", 'prompt,key\na,1\nb,"2'),
        ("other.csv", "prompt"),
        ("other.csv", 'pro"'),
        ("other.jsonl", '{"id": "a", "cache": "off", "messages": []}\n{"id": "b", "cac'),
        ("other.jsonl", '{"id": "a", "cache": "off"}'),
        ("other.jsonl", "# notes to keep"),
        ("other.jsonl", '{"prompt": "a", "cheap_quality": 0, "expensive_quality": 1}\n# notes to keep'),
    ],
)
def test_nobody_elses_last_line_is_ever_cut_off(tmp_path: Path, name: str, text: str) -> None:
    """A file that is not ours may well end without a line end."""
    (tmp_path / name).write_text(text)
    with pytest.raises(LogError, match="name a new file"):
        LabelledFile(tmp_path / name)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_cut_off_in_its_very_first_line_is_begun_anew(tmp_path: Path, name: str) -> None:
    """Wherever the first write was interrupted."""
    file = LabelledFile(tmp_path / name)
    file.append({"id": "1", "prompt": "a", "cheap_quality": 0, "expensive_quality": 1})
    file.close()
    whole = (tmp_path / name).read_bytes()
    for end in range(1, whole.index(b"\n")):
        (tmp_path / name).write_bytes(whole[:end])
        assert LabelledFile(tmp_path / name).done == {}


def test_a_last_row_without_its_line_end_is_kept(tmp_path: Path) -> None:
    """As an editor leaves it: it is whole, so it is not cut off."""
    path = tmp_path / "out.jsonl"
    row = {"prompt": "a", "cheap_quality": 0, "expensive_quality": 1}
    path.write_text(json.dumps(row))
    file = LabelledFile(path)
    assert not file.broken
    file.append({**row, "prompt": "b"})
    file.close()
    assert [json.loads(line)["prompt"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_a_line_end_inside_an_answer_ends_no_row(tmp_path: Path) -> None:
    """A CSV row broken off inside a quoted answer is cut off whole, when the next is added and no sooner."""
    path = tmp_path / "out.csv"
    file = LabelledFile(path)
    for prompt in ("one", "two"):
        file.append({"prompt": prompt, "cheap_quality": 0, "expensive_quality": 1, "cheap_answer": 'a\n"b"\nc\n'})
    file.close()
    whole = path.read_bytes()
    for cut in range(1, 20):
        path.write_bytes(whole[:-cut])
        healed = LabelledFile(path)
        assert healed.broken
        assert digest_of("one", "") in healed.done
        assert digest_of("two", "") not in healed.done
        assert path.read_bytes() == whole[:-cut]
        healed.append({"prompt": "three", "cheap_quality": 0, "expensive_quality": 1})
        healed.close()
        assert list(LabelledFile(path).done) == [digest_of("one", ""), digest_of("three", "")]


WILD = 'a\rb\r\nc\nd "e" ""\u2028\u2029\x85\x00\x0b,;\t\ufeff\'\r'


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize("told", ["prompt", "messages"])
def test_whatever_a_text_holds_it_comes_back_the_same(tmp_path: Path, name: str, told: str) -> None:
    """Line ends of every kind, quotes, a NUL: or the row would be broken, and bought again by every run."""
    path = tmp_path / name
    texts = [each for c in dict.fromkeys((*WILD, WILD)) for each in (f"x{c}y", f"x{c}")]
    prompts = [text if told == "prompt" else ({"role": "system", "content": text},) for text in texts]
    file = LabelledFile(path)
    for text, prompt in zip(texts, prompts, strict=True):
        listed = prompt if isinstance(prompt, str) else list(prompt)
        row = {"id": text, told: listed, "cheap_quality": 0.5, "expensive_quality": 1.0, "group": "g" + text}
        file.append({**row, "cheap_answer": text, "expensive_answer": text})
    file.close()
    again = LabelledFile(path)
    assert not again.broken
    assert list(again.done) == [digest_of(prompt, "g" + text) for text, prompt in zip(texts, prompts, strict=True)]
    rows = [row for _, row in rows_of(path, lambda names: None) if not isinstance(row, Broken)]
    assert [row["expensive_answer"] for row in rows] == texts


def test_rows_that_failed_before_come_last(tmp_path: Path) -> None:
    """Those that failed least first; the others in their order. A prompt that no UTF-8 can hold is a bad row."""
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps({"prompt": name}) + "\n" for name in ("a", "b", "c", "\ud800", "d")))
    failures, intake = {digest_of("a", ""): 2, digest_of("c", ""): 1}, Intake()
    assert [prompt.prompt for prompt in in_turn(path, (), failures, intake)] == ["b", "d", "c", "a"]
    assert (intake.rows, intake.bad.skipped) == (5, 1)
    assert intake.bad.named[0].startswith(f"{path}:4: ")
