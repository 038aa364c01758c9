"""The files of logs: what is damaged is named, by row where a row is, else by file; never a traceback."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from turnout.errors import LogError
from turnout.logs.columns import Columns
from turnout.logs.labelled import read_logs

HEADER = "prompt,cheap_quality,expensive_quality\n"


def damaged(path: Path, whole: bytes) -> Iterator[tuple[int, str]]:
    """What reading says, "" where nothing, with one byte of the file flipped, at fifty places."""
    for place in range(0, len(whole), len(whole) // 50):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_logs([path])
        except LogError as error:
            yield place, str(error)
        else:
            yield place, ""


def test_a_flipped_byte_in_a_gzip_is_told_of_the_file(tmp_path: Path) -> None:
    """Wherever it is: the compressed data, the checksum, the header."""
    rows = "".join(f"prompt {row} asks {row * 7919 % 9973},0,1\n" for row in range(600))
    path = tmp_path / "flipped.csv.gz"
    actual = [words for _, words in damaged(path, gzip.compress((HEADER + rows).encode(), mtime=0))]
    assert all(words == "" or words.startswith(f"{path}: ") for words in actual)
    assert sum("damaged" in words for words in actual) > 40
    assert not any("UTF-8" in words for words in actual)


@pytest.mark.parametrize("kept", [5, 12, -9, -3])
def test_a_cut_gzip_is_told_wherever_the_cut_is(tmp_path: Path, kept: int) -> None:
    """In its header, after it, in the data, in the checksum."""
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress((HEADER + "a,0,1\n" * 50).encode())[:kept])
    with pytest.raises(LogError, match=r"cut\.csv\.gz: the compressed file is cut short"):
        read_logs([path])


def test_a_damaged_parquet_file_is_not_called_a_matter_of_its_encoding(tmp_path: Path) -> None:
    """Of a flipped byte in a text iconv would not rid it."""
    path = tmp_path / "flipped.parquet"
    rows = [{"prompt": f"naïve {row}", "cheap_quality": row / 300, "expensive_quality": 1.0} for row in range(300)]
    pa.parquet.write_table(pa.Table.from_pylist(rows), path, compression="none", use_dictionary=False)
    actual = [words for _, words in damaged(path, path.read_bytes()) if words]
    assert len(actual) > 10
    assert not any("iconv" in words for words in actual)
    assert sum("damaged" in words for words in actual) > 10


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_any_delimiter_is_read(tmp_path: Path, delimiter: str) -> None:
    """As a spreadsheet of another country writes it, whatever the file's suffix."""
    path = tmp_path / "sheet.csv"
    path.write_text((HEADER + "a,0,1\nb,1,1\n").replace(",", delimiter))
    assert read_logs([path]).gain.tolist() == [1.0, 0.0]


def test_a_prompt_of_a_megabyte_is_read(tmp_path: Path) -> None:
    """From a CSV too, whose own limit is an eighth of that."""
    path = tmp_path / "long.csv"
    path.write_text("prompt,cheap_quality,expensive_quality\n" + "long " * 200_000 + ",0,1\n")
    assert len(str(read_logs([path]).queries[0].messages[0]["content"])) == 1_000_000


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl.gz", "none.parquet"])
def test_a_file_that_is_not_there_is_told_as_such(tmp_path: Path, name: str) -> None:
    """Not as a damaged one, of whatever format."""
    with pytest.raises(LogError, match=rf"{name}: cannot be read: .*No such file or directory$"):
        read_logs([tmp_path / name])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"7z\xbc\xaf\x27\x1c\x00\x04\xff\xfe", "7z archive"),
        (b"Rar!\x1a\x07\x01\x00\xff\xfe", "RAR archive"),
        (b"Obj\x01\x02\xff", "Avro"),
        (b"ORC\x01\xff", "ORC"),
        ("prompt,cheap_quality\nq,1\n".encode("utf-32"), "UTF-32"),
        (b"log.csv".ljust(257, b"\x00") + b"ustar\x0000", "tar archive"),
        (b"\n<!DOCTYPE html><html></html>\n", "web page"),
        (b"prompt,cheap_quality,expensive_quality\n", "is empty but for its header"),
        (b"null", "null alone"),
        (b"[]", "[] alone"),
        (b'[["prompt","cheap_quality"],["q",1]]', "orient='records'"),
        (b"My export\n\nprompt,cheap_quality,expensive_quality\nq,0,1\n", "names no columns"),
        (b'{"custom_id":"r","response":{"body":{}},"error":null}\n', "the batch's input"),
    ],
)
def test_what_is_no_log_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    """With what to do about it."""
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(LogError, match=re.escape(reason)):
        read_logs([path])


def test_texts_stored_as_bytes_are_read(tmp_path: Path) -> None:
    """As some writers of Parquet store them."""
    rows = {"prompt": [b"q"], "cheap_quality": [0.0], "expensive_quality": [1.0]}
    pa.parquet.write_table(pa.table(rows), tmp_path / "log.parquet")
    assert read_logs([tmp_path / "log.parquet"]).queries[0].messages[0]["content"] == "q"


def test_the_encoding_is_told_by_the_whole_file(tmp_path: Path) -> None:
    """Latin-1 rows behind a megabyte of English ones are no damage; a few bytes among many rows are."""
    english = "".join(f"{'x' * 80} {n},0,1\n" for n in range(1000))
    path = tmp_path / "log.csv"
    for german, lost in (("".join(f"Größe und Länge {n},0,1\n" for n in range(200)), 0), ("Größe,0,1\n", 1)):
        path.write_bytes(f"prompt,cheap_quality,expensive_quality\n{english}{german}".encode("latin-1"))
        logs = read_logs([path])
        assert (logs.skipped, bool(logs.understood)) == (lost, not lost)
        assert logs.queries[-1].messages[0]["content"].startswith("x" if lost else "Größe")


def test_the_hint_names_no_encoding_that_it_cannot_know(tmp_path: Path) -> None:
    """Cyrillic bytes converted from Latin-1 would be other letters."""
    text = "".join(f"Вопрос номер {n} о двигателе,0,1\n" for n in range(30))
    path = tmp_path / "log.csv"
    path.write_bytes(f"prompt,cheap_quality,expensive_quality\n{text}".encode("cp1251"))
    with pytest.raises(LogError, match="iconv -f ENCODING -t UTF-8"):
        read_logs([path])


def test_lists_within_a_row_are_no_rows(tmp_path: Path) -> None:
    """Whatever the question is called; what a flag names, too."""
    for name, flag in (("user_prompt", ""), ("user_query", ""), ("frage", "frage")):
        samples = [{"model": "a", "text": "x", "score": 0}, {"model": "b", "text": "y", "score": 1}]
        rows = [{name: f"q{n}", "samples": samples} for n in range(3)]
        path = tmp_path / "log.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)))
        logs = read_logs([path], columns=Columns(prompt=flag, cheap="a", expensive="b"))
        assert [query.messages[0]["content"] for query in logs.queries] == ["q0", "q1", "q2"]
        assert logs.gain.tolist() == [1.0, 1.0, 1.0]


ROWS = [{"prompt": f"question {place}", "cheap_quality": place % 2, "expensive_quality": 1} for place in range(6)]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS[:3]) + "\n" + json.dumps(ROWS[3:]),
        "".join(json.dumps([row]) + "\n" for row in ROWS),
        ",\n\n".join(json.dumps(row) for row in ROWS) + ",\n",
        ",\n".join(json.dumps(row, indent=2) for row in ROWS),
    ],
    ids=["arrays", "an array a line", "lines with commas", "objects with commas"],
)
def test_json_that_stands_behind_json_is_read(tmp_path: Path, text: str) -> None:
    """What follows an array was lost without a word."""
    path = tmp_path / "log.json"
    path.write_text(text)
    logs = read_logs([path])
    assert (logs.cheap.tolist(), logs.skipped) == ([0, 1] * 3, 0)


def test_what_is_no_json_behind_an_array_is_told_with_its_line(tmp_path: Path) -> None:
    """And costs no row before it."""
    path = tmp_path / "log.json"
    path.write_text(json.dumps(ROWS) + "\n\nand so on")
    logs = read_logs([path])
    assert (len(logs), logs.skipped) == (6, 1)
    assert f"{path}:3: not JSON from here on" in logs.bad[0]


def test_a_gzip_within_a_gzip_is_read(tmp_path: Path) -> None:
    """As a server's encoding leaves it around a file that was packed already."""
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(gzip.compress(f"{HEADER}Say hello,0,1\n".encode())))
    assert len(read_logs([path])) == 1
