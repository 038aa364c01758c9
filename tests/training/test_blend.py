"""The blend: what each view is worth, and none of it made up."""

from __future__ import annotations

import numpy as np
import pytest

from turnout.logs.labelled import Logs
from turnout.routing.features import Floats
from turnout.training.blend import OutOfFold, blend_shares, out_of_fold, shares, tags_out_of_fold
from turnout.training.fit import train
from turnout.training.folds import FOLDS


def test_a_view_that_knows_gets_its_share() -> None:
    """And one that does not, next to none of it, with rows enough."""
    rng = np.random.default_rng(1)
    gain = rng.normal(size=20_000)
    actual = shares(np.column_stack([0.5 * gain, rng.normal(size=20_000), np.zeros(20_000)]), gain)
    assert actual[0] == pytest.approx(2.0, abs=0.05)
    assert actual[1] < 0.03
    assert actual[2] == 0.0


def test_few_rows_leave_the_views_equal_and_the_tag_half() -> None:
    """Twenty rows of noise say next to nothing of it."""
    rng = np.random.default_rng(3)
    actual = shares(rng.normal(size=(20, 4)), rng.normal(size=20))
    assert actual == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.5], abs=0.05)


def test_the_less_is_explained_the_more_the_prior_counts() -> None:
    """Labels of which a fifth is wrong say less of what each view is worth."""
    rng = np.random.default_rng(8)
    signal, noise = rng.normal(size=(2, 4_000))
    columns = np.column_stack([signal + rng.normal(size=4_000), noise, np.zeros(4_000)])
    clear, noisy = shares(columns, signal), shares(columns, signal + 5 * rng.normal(size=4_000))
    equal = np.array([0.5, 0.5])
    assert np.abs(noisy[:2] - equal).max() < 0.75 * np.abs(clear[:2] - equal).max()


def test_the_penalty_that_errs_least_is_chosen() -> None:
    """Over all divisions, by the square: not the one whose errors cancel out, nor the one best in one of them."""
    rng = np.random.default_rng(4)
    folds, gain = np.arange(100) % FOLDS, rng.normal(size=100)
    centred, noise = gain - gain.mean(), rng.normal(size=100)
    right, never, first = (
        [centred + 0.1 * noise, centred + 0.1 * noise], [noise - noise.mean(), noise - noise.mean()],
        [centred, noise],
    )  # fmt: skip
    actual = [OutOfFold(folds, gain, {"ranks": [never[at], first[at], right[at]]}, np.zeros(100)) for at in range(2)]
    assert blend_shares(actual)[0] == [2]


def test_the_other_folds_all_teach() -> None:
    """With other gains in any one of them a fold is told otherwise: by views, by tags and by the blend."""
    rng = np.random.default_rng(5)
    folds, numbers, tags = np.arange(200) % FOLDS, rng.normal(size=(200, 3)), ["ab"[at // 5 % 2] for at in range(200)]
    gain = numbers[:, 0] + np.array([tag == "a" for tag in tags])

    def predictions(gain: Floats) -> list[Floats]:
        view = out_of_fold("ranks", numbers, gain, 30.0, folds, 0)
        of_tags = tags_out_of_fold(gain, tags, folds)
        # The views stand: what is asked is what the others' gains make of them.
        blended = OutOfFold(folds, gain, {"ranks": [0.5 * numbers[:, 0]]}, fixed).blended() - gain.mean()
        return [each[folds == 1] for each in (view, of_tags, blended)]

    fixed = tags_out_of_fold(gain, tags, folds)
    before = predictions(gain)
    for fold in (0, 2, 3, 4):
        after = predictions(np.where(folds == fold, gain[::-1], gain))
        assert all(np.abs(each - was).max() > 1e-6 for each, was in zip(after, before, strict=True))


def test_rounding_is_no_prediction() -> None:
    """A view that differs by 1e-15 could reach any gain with a share of 1e15."""
    rng = np.random.default_rng(1)
    gain = rng.normal(size=500)
    actual = shares(np.column_stack([0.5 * gain, 1e-15 * gain, np.zeros(500)]), gain)
    assert actual[1] == 0.0
    assert 1.0 < actual[0] < 2.5


@pytest.mark.usefixtures("light")
def test_texts_that_share_no_word_but_one_teach_nothing_absurd() -> None:
    """Which row is easy hangs on the group alone; a number seen before must not turn that over."""
    actual = Logs.from_rows(
        {"prompt": f"number {at}", "group": "ab"[at % 2], "cheap_quality": at % 2, "expensive_quality": 1.0}
        for at in range(200)
    )
    fitted = train(actual)
    assert fitted.shares.max() < 10
    scores = [fitted.scorer.score(query) for query in actual.queries]
    assert min(s.score for s in scores[::2]) > max(s.score for s in scores[1::2])


def test_no_rows_prediction_comes_from_that_row() -> None:
    """With other gains in one fold, that fold is told just the same: views, tags, penalties and shares."""
    rng = np.random.default_rng(2)
    folds, numbers = np.arange(300) % FOLDS, rng.normal(size=(300, 3))
    tags = [("a", "b", "c")[at] for at in rng.integers(0, 3, 300)]
    gain = numbers[:, 0] + np.array([tag == "a" for tag in tags]) + rng.normal(size=300)
    mine = folds == 1
    other = np.where(mine, -5.0 * rng.permutation(gain), gain)

    def predictions(gain: Floats, tried: dict[str, list[Floats]]) -> list[Floats]:
        view = out_of_fold("ranks", numbers, gain, 30.0, folds, 0)
        blended = OutOfFold(folds, gain, tried, fixed).blended() - gain.mean()
        return [view[mine], tags_out_of_fold(gain, tags, folds)[mine], blended[mine]]

    # Two penalties of each view: which one is best, and what it is worth, must not hang on the fold that is told.
    noise = [rng.normal(size=300) for _ in range(4)]
    fixed = rng.normal(size=300)
    tried = {
        "ranks": [0.5 * np.where(mine, other, gain) + noise[0], 0.5 * gain + noise[1]],
        "words": [0.1 * np.where(mine, other, gain) + noise[2], noise[3]],
    }
    for before, after in zip(predictions(gain, tried), predictions(other, tried), strict=True):
        assert np.allclose(before, after, atol=1e-12)
        assert np.ptp(before) > 0
