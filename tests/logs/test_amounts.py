"""Costs as people write them: read where the file tells what its commas mean, else lost with a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.logs.test_reader import price_of
from turnout.cli import main
from turnout.logs.amounts import AmountReader
from turnout.logs.labelled import read_logs
from turnout.logs.values import number

HEADER = "prompt;cheap_quality;expensive_quality;cheap_usd;expensive_usd\n"


def amount(text: str, *others: str) -> object:
    """What a cell of a file that holds these others, too, is read as."""
    return AmountReader(lambda: [text, *others]).read(text, "cheap_usd")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$0.0012", 0.0012), ("US$ 5", 5.0), ("0.5 USD", 0.5), ("0,0012 €", 0.0012), ("-$3", -3.0), (".5", 0.5),
        ("1,234.50", 1234.5), ("1.234,50", 1234.5), ("12,345,678", 12345678.0), ("1 234,5", 1234.5),
        ("1'234.5", 1234.5),
        ("3,4E-04", 0.00034), ("3.4e-4", 0.00034), ("1,234e-3", 0.001234), ("0,123", 0.123), ("12,5", 12.5),
        ("1.234", 1.234), ("7", 7.0),
    ],
)  # fmt: skip
def test_an_amount_that_tells_its_marks_is_read(text: str, expected: float) -> None:
    """With a currency, thousands, a decimal comma, an exponent."""
    assert amount(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "others", "expected"),
    [
        ("1,234", ["0.5"], 1234.0),
        ("1,234", ["0,5"], 1.234),
        ("1.234", ["0,5"], 1234.0),
        ("1.234", ["1,234.5"], 1.234),
        ("$1,234", ["$2,345,678"], 1234.0),
    ],
)
def test_a_cell_that_may_be_either_is_what_the_others_tell(text: str, others: list[str], expected: float) -> None:
    """A thousand or a fraction."""
    assert amount(text, *others) == expected


@pytest.mark.parametrize(("text", "others"), [("1,234", []), ("1,234", ["0,5", "0.5"]), ("1.234", ["0,5", "0.5"])])
def test_what_no_cell_tells_is_not_guessed(text: str, others: list[str]) -> None:
    """A factor of a thousand is worse than a lost row."""
    with pytest.raises(ValueError, match="a thousand or a fraction"):
        amount(text, *others)


@pytest.mark.parametrize("text", ["12,34,567", "1.2.3", "1 23", "$1 €", "+-3", "free", "1,234,5", "4/5", "", "9" * 99])
def test_what_is_no_amount_stays_a_text(text: str) -> None:
    """It is told where the row is checked."""
    assert amount(text) == text


@pytest.mark.parametrize(
    ("cost", "expected", "currency"),
    [
        ({"input": 0.001, "output": 0.002, "currency": "EUR"}, 0.003, "EUR"),
        ({"input": 0.001, "output": 0.002, "cache_write": 0.05, "reasoning": 0.1}, 0.153, ""),
        ({"inputCost": 1, "cacheReadCost": 2, "cached": 0}, 3.0, ""),
        ({"total": "0,002", "currency": "EUR"}, 0.002, "EUR"),
        ({"total": "€0,002", "currency": "eur"}, 0.002, "EUR"),
        ({"total": 1.234, "currency": "EUR"}, 1.234, "EUR"),
        ({"total": -3e-05, "currency": "EUR"}, -3e-05, "EUR"),
        ({"total": 2, "currency": None}, 2.0, ""),
    ],
)  # fmt: skip
def test_an_object_is_read_whole(cost: dict[str, Any], expected: float, currency: str) -> None:
    """Its currency however its total is found, beside cells with decimal commas too; and all parts of a sum."""
    amounts = AmountReader(lambda: ["0,5"])
    assert amounts.read(cost, "cheap_usd") == pytest.approx(expected)
    assert amounts.currency == currency


@pytest.mark.parametrize(
    "cost",
    [
        {"input": 0.001, "output": 0.002, "audio": 0.05},
        {"input": 0.001, "output": None},
        {"input": 0.001, "output": True},
        {"input": 0.001, "output": 10**400},
        {"currency": "EUR"},
        {"total": 0.1, "currency": "credits"},
        {"total": "$5", "currency": "CAD"},
    ],
)
def test_an_object_that_is_not_understood_is_no_cost(cost: dict[str, Any]) -> None:
    """A part that is left out, or another currency, makes it a wrong one; so the row is told as bad."""
    actual = AmountReader(list).read(cost, "cheap_usd")
    with pytest.raises(ValueError, match="not a number"):
        number(actual, "cheap_usd")


def test_one_file_has_one_currency() -> None:
    """What is in another one is lost with a word: nobody here knows the rate."""
    amounts = AmountReader(list)
    assert (amounts.read("€1", "cheap_usd"), amounts.read("2", "cheap_usd")) == (1.0, 2.0)
    with pytest.raises(ValueError, match="cheap_usd is in USD, but others of this file in EUR"):
        amounts.read("$3", "cheap_usd")


def test_another_currency_than_dollars_is_told(tmp_path: Path) -> None:
    """Shares of it are right, sums are not."""
    path = tmp_path / "log.csv"
    path.write_text(f"{HEADER}a;0;1;€0,1;€1,5\n")
    logs = read_logs([path])
    assert (logs.cheap_usd.tolist(), logs.expensive_usd.tolist()) == ([0.1], [1.5])
    assert "its costs are in EUR" in logs.understood[0]


def test_costs_with_signs_tell_which_model_is_cheap(tmp_path: Path) -> None:
    """Of a row a model, whose models nobody knows; what the comma means stands in a later row."""
    rows = [("a", "x", 0, "1,234"), ("a", "y", 1, "$2,500"), ("b", "x", 1, "$12.50"), ("b", "y", 1, "$9,000.00")]
    path = tmp_path / "log.jsonl"
    names = ("prompt", "model", "score", "cost")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    logs = read_logs([path], price_of=price_of)
    assert (logs.cheap_usd.tolist(), logs.expensive_usd.tolist()) == ([1234.0, 12.5], [2500.0, 9000.0])


def test_inspect_tells_the_rows_that_training_loses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where it is a cost or a weight that cannot be read."""
    path = tmp_path / "log.csv"
    header = "prompt,cheap_quality,expensive_quality,cheap_usd,weight\n"
    path.write_text(f"{header}a,0,1,free,1\nb,0,1,-1,1\nc,0,1,1,heavy\nd,0,1,$0.5,1\ne,nan,1,1,1\n")
    logs = read_logs([path])
    assert main(["inspect", str(path), "--json"]) == 0
    actual = json.loads(capsys.readouterr().out)
    assert (len(logs), logs.skipped) == (actual["labelled"], sum(lost["rows"] for lost in actual["lost"])) == (1, 4)
