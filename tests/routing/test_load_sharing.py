"""Whose turn it is of the models that share a tier's load."""

from __future__ import annotations

from collections import Counter

import pytest

from turnout.errors import ModelNotFound
from turnout.routing.catalog import Catalog
from turnout.routing.load_sharing import LoadSharing
from turnout.settings import Settings

LARGE = "openai/large"
EU, US = ({"model": LARGE, "name": name, "weight": weight} for name, weight in (("eu", 3), ("us", 1)))


def catalog() -> Catalog:
    tiers = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": [EU, US, "openai/spare"]}}
    return Catalog(Settings.from_mapping({"tiers": tiers, "routing": {"threshold": 0.5}}))


def test_each_leads_as_often_as_its_weight_says() -> None:
    """Evenly spread: never two of the lighter in a row; the rest follow, whoever shares nothing in its place."""
    sharing = LoadSharing({"a": 3.0, "b": 1.0})
    orders = [sharing.order(("a", "b", "spare")) for _ in range(8)]
    assert "".join(order[0] for order in orders) == "aabaaaba"
    assert all(order[2] == "spare" for order in orders)
    assert sharing.order(("x", "y")) == ("x", "y")


def test_a_tiers_requests_are_shared_routed_or_forced() -> None:
    """By the tier, or by the name of what the entries are of."""
    names = catalog()
    assert Counter(names.route("expensive")[0] for _ in range(40)) == {"eu": 30, "us": 10}
    assert Counter(names.find("expensive").candidates[0] for _ in range(40)) == {"eu": 30, "us": 10}
    assert Counter(names.find(LARGE).candidates[0] for _ in range(40)) == {"eu": 30, "us": 10}
    assert names.find("us").candidates == ("us",)
    assert names.find("cheap").candidates == ("openai/small",)


def test_what_stands_in_both_tiers_is_no_name_to_force() -> None:
    """Nobody guesses which tier is meant."""
    tiers = {"cheap": {"models": [EU]}, "expensive": {"models": [US]}}
    with pytest.raises(ModelNotFound):
        Catalog(Settings.from_mapping({"tiers": tiers})).find(LARGE)
