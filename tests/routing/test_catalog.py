"""What a caller's `model` stands for, and where each tier's requests may go."""

from __future__ import annotations

import time
from typing import Any

import pytest

from turnout.errors import ModelNotFound
from turnout.routing.catalog import Catalog, EmbeddingModels
from turnout.settings import Settings

TIERS = {
    "cheap": {"models": ["openai/small", "azure/spare"]},
    "expensive": {"models": ["openai/large", "azure/small"]},
}


def catalog(**sections: Any) -> Catalog:
    return Catalog(Settings.from_mapping({"tiers": TIERS, **sections}))


def test_a_forced_tier_or_model_is_never_left() -> None:
    """Its candidates are all that may serve; `auto` has none before it is decided."""
    names = catalog()
    assert names.find("auto").candidates == ()
    assert names.find("expensive").candidates == ("openai/large", "azure/small")
    assert names.find("openai/large").candidates == ("openai/large",)


def test_a_short_name_stands_for_a_model_only_where_it_is_unique() -> None:
    """`spare` is one model, `small` is two: nobody guesses which."""
    assert catalog().find("spare").name == "azure/spare"
    with pytest.raises(ModelNotFound):
        catalog().find("small")


def test_an_alias_is_the_apps_own_word_and_wins_over_a_short_name() -> None:
    """`spare` means what the settings say; the alias is listed."""
    names = catalog(routing={"threshold": 0.5, "aliases": {"spare": "expensive", "gpt-4o": "auto"}})
    assert names.find("spare").name == "expensive"
    assert names.find("gpt-4o").name == "auto"
    assert {"spare", "gpt-4o"} <= set(names.names)


def test_an_unknown_name_is_refused_with_the_nearest_known_one() -> None:
    """And named as the parameter that is wrong."""
    with pytest.raises(ModelNotFound, match="openai/large") as refused:
        catalog().find("openai/larg")
    assert refused.value.param == "model"


def test_a_model_that_shares_its_load_in_both_tiers_takes_its_own_name_alone() -> None:
    """Which tier it would be nobody knows; that of another is found all the same."""

    def entries(*models: str) -> dict[str, Any]:
        return {
            "models": [
                {"model": model, "weight": 1, "params": {"verbosity": f"v{index}"}}
                for index, model in enumerate(models)
            ]
        }

    tiers = {"cheap": entries("openai/a", "openai/a", "openai/b"), "expensive": entries("openai/b", "openai/b")}
    names = Catalog(Settings.from_mapping({"tiers": tiers}))
    assert len(names.find("openai/a").candidates) == 2
    with pytest.raises(ModelNotFound):
        names.find("openai/b")


def test_a_name_of_millions_of_characters_is_refused_at_once() -> None:
    """Nothing is looked for that is like it: that takes time for each character."""
    since = time.process_time()
    for find in (catalog().find, EmbeddingModels(Settings.from_mapping({"tiers": TIERS})).find):
        with pytest.raises(ModelNotFound) as refused:
            find("openai/larg" * 500_000)
        assert len(str(refused.value)) < 300
    assert time.process_time() - since < 0.5


@pytest.mark.parametrize(("other_tier", "cheap", "expensive"), [("none", 2, 2), ("cheap", 2, 4), ("any", 4, 4)])
def test_the_other_tier_serves_where_it_is_allowed(other_tier: str, cheap: int, expensive: int) -> None:
    """By default only downwards: an outage of the cheap tier must not cost the expensive one's price."""
    names = catalog(fallback={"other_tier": other_tier})
    assert (len(names.route("cheap")), len(names.route("expensive"))) == (cheap, expensive)
    assert catalog().route("cheap") == ("openai/small", "azure/spare")
