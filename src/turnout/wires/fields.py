"""Reads the fields of a body that another protocol names. Pure. Raises InvalidRequest, whose `param` is the path."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from turnout.errors import InvalidRequest


def require_text(value: Any, where: str) -> str:
    """The value, a text."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{where} must be a text", param=where)
    return value


def require_object(value: Any, where: str) -> Mapping[str, Any]:
    """The value, an object."""
    if not isinstance(value, Mapping):
        raise InvalidRequest(f"{where} must be an object", param=where)
    return value


def require_objects(value: Any, where: str) -> list[Mapping[str, Any]]:
    """The value, an array of objects."""
    if not isinstance(value, list):
        raise InvalidRequest(f"{where} must be an array of objects", param=where)
    return [require_object(item, f"{where}.{at}") for at, item in enumerate(value)]


def refuse_others(value: Mapping[str, Any], names: Collection[str], where: str) -> None:
    """Raises InvalidRequest for a field that is not translated: dropping it would change the answer, but where it is
    empty."""
    for name, item in value.items():
        if name not in names and item not in (None, [], {}):
            param = f"{where}.{name}" if where else name
            raise InvalidRequest(f"{param} is not supported on this path", param=param)


def named_fields(body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of these fields that the body holds, as they came."""
    return {name: body[name] for name in names if body.get(name) is not None}


def present_fields(**fields: Any) -> dict[str, Any]:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def extension(given: Any, optional: Iterable[str]) -> Any:
    """The `turnout` object of a body that asks for these parameters where the model takes them, unless the caller says
    himself which are optional. What is no object is left to those who refuse it."""
    names = list(optional)
    if not names or not isinstance(given, Mapping | None):
        return given
    return {"optional": names, **(given or {})}
