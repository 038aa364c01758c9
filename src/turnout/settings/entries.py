"""A tier's entries that are tables, `{ model = "...", params = {...}, name = "...", weight = 2 }`, as models of their
own. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.errors import SettingsError

_KEYS = frozenset({"api_key_env", "model", "name", "params", "weight"})
# What goes into the section of the entry as it is.
_OWN = ("api_key_env", "weight")
# Parts of a name, which every caller reads in headers: how the model answers and where it stands. Whatever else its
# parameters hold, a key or an address, is nobody else's business.
_NAMED = frozenset({
    "aws_region_name", "max_completion_tokens", "max_tokens", "reasoning_effort", "region_name", "service_tier",
    "temperature", "top_p", "verbosity", "vertex_location",
})  # fmt: skip


def expand_entries(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings' mapping with each such entry as a model's name, and a [models] section for it: what the section of
    its model says, then the entry's parameters, then what a section under its own name says. Raises SettingsError."""
    tiers, models = mapping.get("tiers"), mapping.get("models", {})
    if not isinstance(tiers, Mapping) or not isinstance(models, Mapping):
        return mapping
    sections = dict(models)
    deployments: set[str] = set()
    taken = {name for section in tiers.values() for name in _listed(section) if isinstance(name, str)}
    taken |= {name for section in tiers.values() for entry in _listed(section) if (name := _table(entry).get("name"))}
    expanded = {
        tier: _expand_tier(tier, section, models, sections, deployments, taken) for tier, section in tiers.items()
    }
    if not deployments:
        return mapping
    named = {name for section in expanded.values() for name in _table(section).get("models", ())}
    # The section of a model that stands in the tiers by its entries alone has done its part.
    kept = {name: section for name, section in sections.items() if name in named or name not in deployments}
    return {**mapping, "tiers": expanded, "models": kept}


def _expand_tier(
    tier: str,
    section: Any,
    models: Mapping[str, Any],
    sections: dict[str, Any],
    deployments: set[str],
    taken: set[str],
) -> Any:
    if not _listed(section):
        return section
    names = []
    for index, entry in enumerate(section["models"]):
        if not isinstance(entry, Mapping):
            names.append(entry)
            continue
        where = f"tiers.{tier}.models[{index}]"
        model, params = _checked(entry, where)
        name = entry.get("name") or _unique(_default_name(model, params), taken, numbered="weight" in entry)
        base, own = _table(models.get(model)), _table(models.get(name)) if name != model else {}
        merged = {**_table(base.get("params")), **params, **_table(own.get("params"))}
        given = {key: entry[key] for key in _OWN if key in entry}
        sections[name] = {**base, **given, **own, "params": merged, "deployment": model}
        deployments.add(model)
        names.append(name)
    return {**section, "models": names}


def _listed(section: Any) -> list[Any]:
    models = _table(section).get("models")
    return list(models) if isinstance(models, list | tuple) else []


def _unique(name: str, taken: set[str], *, numbered: bool) -> str:
    """The name, with a number where entries that share a load would have the same."""
    count, found = 1, name
    while numbered and found in taken:
        count += 1
        found = f"{name}#{count}"
    taken.add(found)
    return found


def _table(value: Any) -> Mapping[str, Any]:
    """The value, or an empty table for what is none."""
    return value if isinstance(value, Mapping) else {}


def _checked(entry: Mapping[str, Any], where: str) -> tuple[str, Mapping[str, Any]]:
    for key in entry:
        if key not in _KEYS:
            raise SettingsError(f"{where}: {key} is no key of an entry; known here: {', '.join(sorted(_KEYS))}")
    model, params = entry.get("model"), entry.get("params", {})
    if not isinstance(model, str) or not model.strip():
        raise SettingsError(f"{where}: an entry that is a table names its model")
    if not isinstance(params, Mapping):
        raise SettingsError(f"{where}.params: must be a table")
    name = entry.get("name", "")
    if not isinstance(name, str) or not name.isprintable() or not name.isascii():
        raise SettingsError(f"{where}.name: must be a text of plain letters: it stands in headers")
    return model, params


def _default_name(model: str, params: Mapping[str, Any]) -> str:
    """The model's name and what its parameters say: `openai/gpt-5-mini@low`."""
    named = (value for key, value in params.items() if key in _NAMED)
    values = ",".join(str(value) for value in named if isinstance(value, str | int | float))
    return f"{model}@{values}" if values.isascii() and values.isprintable() and values else model
