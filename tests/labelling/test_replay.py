"""What a prompt is, and the file that labelled rows are added to: the parts of a replay that need no provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout.errors import LogError
from turnout.labelling.journal import Journal, journal_path
from turnout.labelling.labelled_file import LabelledFile
from turnout.labelling.prompts import Intake, digest_of, in_turn, most_tokens, plain, read_prompts
from turnout.logs.broken import Broken
from turnout.logs.files import records_of
from turnout.logs.reader import LogReader


def _open(path: Path) -> tuple[bool, list[str]]:
    """Whether its last row is half written, and the digests of its rows."""
    with Journal(path) as journal:
        file = LabelledFile(path, journal)
        return file.broken, list(file.done)


def _add(path: Path, *prompts: str, answer: str = "") -> None:
    with Journal(path) as journal:
        file = LabelledFile(path, journal)
        for prompt in prompts:
            file.append({"prompt": prompt, "cheap_quality": 0, "expensive_quality": 1, "cheap_answer": answer})


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
    actual = list(read_prompts(LogReader([file]), frozenset({"7", digest_of("c", "")}), intake))
    assert [(prompt.prompt, prompt.group) for prompt in actual] == [("a", ""), ("a", "g"), ("b", ""), ("d", "")]
    assert (intake.rows, intake.repeated, intake.already) == (6, 1, 1)


def test_a_file_of_other_columns_is_not_added_to(tmp_path: Path) -> None:
    """Nor is one that is no labelled log; nothing in it is changed."""
    other = "prompt,cheap_quality,expensive_quality\na,0,1\n"
    (tmp_path / "other.csv").write_text(other)
    with pytest.raises(LogError, match="name a new file"):
        _open(tmp_path / "other.csv")
    assert (tmp_path / "other.csv").read_text() == other
    (tmp_path / "other.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(LogError, match="other columns than labelling writes"):
        _open(tmp_path / "other.jsonl")


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
        _open(tmp_path / name)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_file_cut_off_in_its_very_first_line_is_begun_anew(tmp_path: Path, name: str) -> None:
    """Wherever the first write was interrupted, in the header or in the row."""
    _add(tmp_path / name, "a")
    whole = (tmp_path / name).read_bytes()
    for end in range(1, len(whole)):
        (tmp_path / name).write_bytes(whole[:end])
        assert _open(tmp_path / name) == (True, [])
    _add(tmp_path / name, "a")
    assert (tmp_path / name).read_bytes() == whole


def test_a_last_row_without_its_line_end_is_kept(tmp_path: Path) -> None:
    """As an editor leaves it: it is whole, so it is not cut off."""
    (tmp_path / "out.jsonl").write_text(json.dumps({"prompt": "a", "cheap_quality": 0, "expensive_quality": 1}))
    _add(tmp_path / "out.csv", "a")
    (tmp_path / "out.csv").write_bytes((tmp_path / "out.csv").read_bytes()[:-1])
    journal_path(tmp_path / "out.csv").unlink()
    for name in ("out.jsonl", "out.csv"):
        assert _open(tmp_path / name) == (False, [digest_of("a", "")])
        _add(tmp_path / name, "b")
        assert _open(tmp_path / name) == (False, [digest_of("a", ""), digest_of("b", "")])


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_a_row_broken_off_is_cut_off_whole_when_the_next_is_added(tmp_path: Path, name: str) -> None:
    """Anywhere, inside a quoted answer of many lines too; looking changes nothing."""
    path = tmp_path / name
    _add(path, "one", "two", answer='a\n"b"\nc\n')
    whole = path.read_bytes()
    journal = journal_path(path).read_bytes()
    last = len(whole) - whole.index(b"two")
    for cut in range(1, last):
        path.write_bytes(whole[:-cut])
        journal_path(path).write_bytes(journal)
        assert _open(path) == (True, [digest_of("one", "")])
        assert path.read_bytes() == whole[:-cut]
        if cut % 9 == 1:
            _add(path, "three")
            assert _open(path) == (False, [digest_of("one", ""), digest_of("three", "")])


def test_what_follows_the_last_row_and_is_not_its_beginning_stays(tmp_path: Path) -> None:
    """Whoever wrote it: a half-written line that the journal does not know is not ours to cut."""
    path = tmp_path / "out.jsonl"
    _add(path, "one", "two")
    edited = path.read_bytes()[:-9] + b"edited"
    path.write_bytes(edited)
    with pytest.raises(LogError, match="its last line is not whole; remove that line"):
        _open(path)
    assert path.read_bytes() == edited


WILD = 'a\rb\r\nc\nd "e" ""\u2028\u2029\x85\x00\x0b,;\t\ufeff\'\r'


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize("column", ["prompt", "messages"])
def test_whatever_a_text_holds_it_comes_back_the_same(tmp_path: Path, name: str, column: str) -> None:
    """Line ends of every kind, quotes, a NUL: or the row would be broken, and bought again by every run."""
    path = tmp_path / name
    texts = [each for c in dict.fromkeys((*WILD, WILD)) for each in (f"x{c}y", f"x{c}")]
    prompts = [text if column == "prompt" else ({"role": "system", "content": text},) for text in texts]
    with Journal(path) as journal:
        file = LabelledFile(path, journal)
        for text, prompt in zip(texts, prompts, strict=True):
            listed = prompt if isinstance(prompt, str) else list(prompt)
            row = {"id": text, column: listed, "cheap_quality": 0.5, "expensive_quality": 1.0, "group": "g" + text}
            file.append({**row, "cheap_answer": text, "expensive_answer": text})
    digests = [digest_of(prompt, "g" + text) for text, prompt in zip(texts, prompts, strict=True)]
    assert _open(path) == (False, digests)
    rows = [row for _, row in records_of(path) if not isinstance(row, Broken)]
    assert [row["expensive_answer"] for row in rows] == texts


def test_rows_that_failed_before_come_last(tmp_path: Path) -> None:
    """Those that failed least first; the others in their order. A prompt that no UTF-8 can hold is a bad row."""
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps({"prompt": name}) + "\n" for name in ("a", "b", "c", "\ud800", "d")))
    failures, intake = {digest_of("a", ""): 2, digest_of("c", ""): 1}, Intake()
    assert [prompt.prompt for prompt in in_turn(LogReader([path]), (), failures, intake)] == ["b", "d", "c", "a"]
    assert (intake.rows, intake.bad.skipped) == (5, 1)
    assert intake.bad.named[0].startswith(f"{path}:4: ")


def test_no_tokenizer_makes_more_tokens_than_we_hold_for() -> None:
    """At least a token a byte and some a message; nobody can say for images and files."""
    assert (most_tokens([{"role": "user", "content": "é" * 100}]) or 0) >= 200
    for part in ({"type": "image_url", "image_url": {"url": "data:..."}}, {"type": "file", "file": {}}):
        assert most_tokens([{"role": "user", "content": [part]}]) is None
