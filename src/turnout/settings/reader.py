"""From a mapping to frozen sections: every key checked, an unknown one answered by the nearest right one."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, TypeVar

from turnout.errors import SettingsError
from turnout.redaction import may_be_secret
from turnout.settings.notation import Budget, Rate

Section = TypeVar("Section")


# Given as the value where the key itself, or what several keys say together, is wrong.
NO_VALUE = object()
# In the place of a value of which nothing is right.
_NONE = object()


class Wrong(SettingsError):
    """A value that its own section refuses; the reader adds where the section stands."""

    def __init__(self, key: str, value: object, what: str) -> None:
        super().__init__(f"{key}: {what}" if value is NO_VALUE else f"{key}{format_value(value)}: {what}")


class SeveralWrong(SettingsError):
    """Settings that are wrong each by itself, told together. problems: at least one. built: what the right ones make,
    so that the rest is checked too; None where nothing can be made of them."""

    def __init__(self, problems: Sequence[str], built: Any = None) -> None:
        several = "\n  ".join([f"{len(problems)} settings are wrong:", *problems])
        super().__init__(several if len(problems) > 1 else problems[0])
        self.problems = tuple(problems)
        self.built = built


# What a section's own checks refuse while the reader builds it, by setting and value.
_refused: ContextVar[dict[tuple[str, str], Wrong] | None] = ContextVar("refused", default=None)


def require(good: bool, key: str, value: object, what: str) -> None:
    """Raises Wrong unless good; while the reader builds the section, it is told with whatever else is wrong."""
    if good:
        return
    error, refused = Wrong(key, value, what), _refused.get()
    if refused is None:
        raise error
    refused.setdefault((key, repr(value)), error)


def problems_of(error: SettingsError) -> tuple[str, ...]:
    """Each setting that it tells to be wrong."""
    return error.problems if isinstance(error, SeveralWrong) else (str(error),)


def problems_among(checks: Iterable[Callable[[], object]]) -> Iterator[str]:
    """Each setting that one of these checks refuses."""
    for check in checks:
        try:
            check()
        except SettingsError as error:
            yield from problems_of(error)


def format_value(value: object) -> str:
    """` = VALUE`, as TOML would have it; "" for what may be a secret, or may hold one: a key in the wrong place must
    not stand in a log because of it."""
    if isinstance(value, bool):
        return f" = {str(value).lower()}"
    if isinstance(value, float):
        return f" = {value!r}".removesuffix(".0")
    if isinstance(value, int | Decimal):
        return f" = {value:.60g}"[:64]
    return "" if not isinstance(value, str) or may_be_secret(value) else f' = "{value}"'


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """ "; did you mean NAME?", or "" where no known name is near."""
    near = difflib.get_close_matches(name, tuple(known), n=1, cutoff=cutoff)
    return f'; did you mean "{near[0]}"?' if near else ""


def build_section(section: type[Section], given: Any, where: str) -> Section:
    """The section built of this mapping. `where` is its dotted path, "" for the whole. Raises SettingsError."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}: must be a table")
    hints = typing.get_type_hints(section)
    fields = {field.name: field for field in dataclasses.fields(section)}  # type: ignore[arg-type]
    problems = [
        _unknown(_join(where, str(key)), given[key], str(key), fields) for key in given if key not in fields
    ] + [
        f"{_join(where, name)} is missing; it has no default"
        for name, field in fields.items()
        if name not in given and _has_no_default(field)
    ]
    names = [name for name in given if name in fields]
    known = ((hints[name], given[name], _join(where, name)) for name in names)
    values = {name: value for name, value in zip(names, _converted(known, problems), strict=True) if value is not _NONE}
    if any(name not in values and _has_no_default(field) for name, field in fields.items()):
        raise SeveralWrong(problems)
    with _collected(problems, where):
        built = section(**values)
    if problems:
        raise SeveralWrong(problems, built)
    return built


@contextmanager
def _collected(problems: list[str], where: str) -> Iterator[None]:
    """Adds what the checks of the section that is built inside refuse to the problems, each setting's first."""
    refused: dict[tuple[str, str], Wrong] = {}
    token = _refused.set(refused)
    try:
        yield
    finally:
        _refused.reset(token)
    begun = tuple(problems)
    for (key, _), error in refused.items():
        # Of a value that is wrong by itself nothing more is said.
        if not any(problem.startswith((f"{_join(where, key)}:", f"{_join(where, key)} = ")) for problem in begun):
            problems.append(_join(where, str(error)))


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _converted(values: Iterable[tuple[Any, Any, str]], problems: list[str]) -> list[Any]:
    """Each value as its type, given with its type and its path. What is wrong is added to the problems, and stands as
    what its right parts make, or as _NONE."""
    converted = []
    for hint, value, where in values:
        try:
            converted.append(convert(hint, value, where))
        except SettingsError as error:
            problems += problems_of(error)
            built = getattr(error, "built", None)
            converted.append(_NONE if built is None else built)
    return converted


def _unknown(path: str, value: object, key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    # Never the value: what has no place here may well be a secret.
    message = f"[{path}]: unknown section; " if isinstance(value, Mapping) else f"{path}: unknown setting; "
    if near:
        return message + f"did you mean {near[0]}?"
    return message + f"known here: {', '.join(sorted(known))}"


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def convert(hint: Any, value: Any, where: str) -> Any:
    """The value as the type that the field is annotated with. Raises SettingsError."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return convert(next(arg for arg in args if arg is not type(None)), value, where)
    if origin is typing.Literal:
        return _literal(args, value, where)
    if origin is tuple:
        return _tuple(args[0], value, where)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(args[1], value, where)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint not in (Rate, Budget):
        section: Any = hint
        return value if isinstance(value, section) else build_section(section, value, where)
    return _scalar(hint, value, where)


def _literal(allowed: tuple[Any, ...], value: Any, where: str) -> Any:
    if value in allowed and isinstance(value, str):
        return value
    choices = ", ".join(f'"{choice}"' for choice in allowed)
    raise SettingsError(f"{where}{format_value(value)}: must be one of {choices}{nearest(str(value), allowed)}")


def _tuple(item: Any, value: Any, where: str) -> tuple[Any, ...]:
    # A single rate or budget may stand without its brackets; a single model may not, so that a typo in a
    # list is never taken for a name.
    if item in (Rate, Budget) and isinstance(value, str | Rate | Budget):
        value = [value]
    if not isinstance(value, list | tuple):
        raise SettingsError(f"{where}: must be a list")
    problems: list[str] = []
    converted = _converted(((item, one, f"{where}[{index}]") for index, one in enumerate(value)), problems)
    built = tuple(one for one in converted if one is not _NONE)
    if problems:
        raise SeveralWrong(problems, built)
    return built


def _mapping(item: Any, value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where}: must be a table")
    if item is Any:
        return dict(value)
    problems: list[str] = []
    converted = _converted(((item, one, f'{where}."{key}"') for key, one in value.items()), problems)
    built = {str(key): one for key, one in zip(value, converted, strict=True) if one is not _NONE}
    if problems:
        raise SeveralWrong(problems, built)
    return built


def _scalar(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and number and math.isfinite(value) and value == int(value):
        return int(value)
    if hint is float and number:
        return float(value)
    if hint is Decimal and number:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    if hint is str and isinstance(value, str):
        return value
    if hint in (Rate, Budget):
        return _notation(hint, value, where)
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        Decimal: "a number",
        str: "a text",
    }
    raise SettingsError(f"{where}{format_value(value)}: must be {names.get(hint, 'of another type')}")


def _notation(hint: Any, value: Any, where: str) -> Any:
    if isinstance(value, hint):
        return value
    if not isinstance(value, str):
        raise SettingsError(f'{where}{format_value(value)}: must be a text such as "60/minute" or "1/day"')
    try:
        return hint.parse(value)
    except SettingsError as error:
        raise SettingsError(f"{where}{format_value(value)}: {error}") from None
