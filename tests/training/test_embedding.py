"""What words mean: an installed embedding, and a scorer trained with it that is served without it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge

from turnout.cli import main
from turnout.errors import ArtifactError
from turnout.install_line import install_line
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query
from turnout.routing import artifact
from turnout.routing.artifact import Artifact
from turnout.routing.features import read_features
from turnout.routing.scorer import FileScorer, load_scorer
from turnout.training import embedding, fit
from turnout.training.embedding import Embedding
from turnout.training.estimators import fit_view
from turnout.training.tag_means import tag_means
from turnout.training.views import MeaningView, views_of

pytestmark = pytest.mark.usefixtures("light")

ANIMALS = ["cat", "dog", "horse", "cow", "sheep", "goat", "pig", "hen", "duck", "goose", "rabbit", "donkey"]
TOOLS = ["hammer", "saw", "drill", "spanner", "screw", "nail", "chisel", "pliers", "axe", "shovel", "rake", "bolt"]


def logs(animals: list[str], tools: list[str], rows: int = 160) -> Logs:
    """Requests about animals are hard for the cheap tier, those about tools are not."""
    rng = np.random.default_rng(0)
    results = []
    for row in range(rows):
        words, cheap = (animals, 0.0) if row % 2 else (tools, 1.0)
        asked = " and the ".join(rng.choice(words, 2))
        results.append({"prompt": f"Tell of the {asked}", "cheap_quality": cheap, "expensive_quality": 1.0})
    return Logs.from_rows(results)


@pytest.fixture(scope="module")
def known() -> Embedding:
    """The embedding that the test environment holds."""
    found = embedding.installed()
    assert found is not None
    return found


@pytest.fixture(scope="module")
def fitted(light: None, known: Embedding) -> fit.Fitted:
    """Trained once, on two thirds of the words."""
    return fit.train(logs(ANIMALS[:8], TOOLS[:8]), embedding=known)


def test_words_that_mean_the_like_weigh_alike(fitted: fit.Fitted, known: Embedding) -> None:
    """Animals that the logs never told are told to gain, tools that they never told are not."""

    def predicted_gain(word: str) -> float:
        view = views_of([read_features(Query.from_text(f"Tell of the {word} and the {word}"))], known)["meaning"]
        return float(fitted.views["meaning"].predict(view)[0])

    assert min(map(predicted_gain, ANIMALS[8:])) > max(map(predicted_gain, TOOLS[8:])) + 0.05


def test_it_is_served_from_the_file_alone(fitted: fit.Fitted, tmp_path: Path) -> None:
    """Within 1e-9 of the fitted estimators, and in a process that cannot import the embedding's package."""
    file = tmp_path / "scorer"
    fitted.save(file)
    text = "Tell of the donkey, 12 (!) nails\nand the \ud800 日本語"
    readings = [read_features(Query.from_text(actual)) for actual in (text, "", "x" * 50_000)]
    mean = float(fitted.logs.gain.mean())
    known = embedding.load_embedding()
    views = views_of(readings, known)
    assert list(views)[-1] == "meaning"
    actual = mean + sum(
        share * (view.predict(views[name]) - mean)
        for (name, view), share in zip(fitted.views.items(), fitted.shares[:-1], strict=True)
    )
    served = load_scorer(file)
    assert np.abs(np.array([served.raw(reading) for reading in readings]) - actual).max() < 1e-9
    assert tag_means(fitted.logs.gain, fitted.logs.groups) == {}
    alone = (
        "import sys; sys.modules['wordllama'] = None\n"
        "from turnout.routing.scorer import load_scorer; from turnout.ports.scoring import Query\n"
        f"print(load_scorer({str(file)!r}).score(Query.from_text('Tell of the donkey')).score)"
    )
    there = subprocess.run([sys.executable, "-c", alone], capture_output=True, text=True, check=True, timeout=60)
    assert float(there.stdout) == served.score(Query.from_text("Tell of the donkey")).score


def test_the_embeddings_vectors_are_the_fits(known: Embedding) -> None:
    """The mean of the tokens' weights is the mean vector times the fitted weights: no token is left out."""
    reading = read_features(Query.from_text("The quick brown fox jumps over 13 lazy dogs."))
    view = views_of([reading], known)["meaning"]
    places = known.vocabulary.read(reading.data)
    assert b"".join(known.tokens[place] for place in places) == b" " + reading.data
    assert np.allclose(view.vectors[0], known.vectors[places].mean(axis=0))


def test_a_weight_a_token_is_ridge_on_the_mean_vectors(known: Embedding) -> None:
    """As scikit-learn fits and predicts it; a text without a token is told the mean."""
    actual = logs(ANIMALS, TOOLS)
    view = views_of([read_features(query) for query in actual.queries], known)["meaning"]
    rows = view.vectors - view.vectors.mean(axis=0)
    rows = rows / np.sqrt((rows**2).sum(axis=1).mean())
    fitted = fit_view("meaning", view, actual.gain, 3.0, 0)
    assert np.allclose(fitted.predict(view), Ridge(alpha=3.0).fit(rows, actual.gain).predict(rows))
    empty = views_of([read_features(Query.from_text(""))], known)["meaning"]
    assert len(known.vocabulary.read(b"")) == empty.means.nnz
    nothing = MeaningView(csr_matrix((1, len(known.tokens))), np.zeros((1, 256)), known)
    assert fitted.predict(nothing)[0] == pytest.approx(actual.gain.mean())


def test_the_reasons_name_it(fitted: fit.Fitted) -> None:
    """Of a request about an animal that the logs never told: it raises the gain."""
    reasons = fitted.scorer.explain(Query.from_text("Tell of the donkey and the rabbit"), count=50)
    assert any(reason.startswith("+") and reason.endswith("what its words mean") for reason in reasons)


def test_the_summary_names_the_embedding(fitted: fit.Fitted) -> None:
    """With its version; None without one."""
    assert str(fitted.scorer.summary["embedding"]).startswith("wordllama 0.")
    plain = fit.train(logs(ANIMALS, TOOLS, 60))
    assert plain.scorer.summary["embedding"] is None
    assert "meaning" not in plain.artifact.arrays


def test_a_damaged_table_is_refused(fitted: fit.Fitted, tmp_path: Path) -> None:
    """Fewer weights than tokens."""
    arrays = dict(fitted.artifact.arrays)
    arrays["meaning"] = arrays["meaning"][:-1]
    artifact.save(Artifact(header=fitted.artifact.header, arrays=arrays), tmp_path / "damaged")
    with pytest.raises(ArtifactError, match="one weight each"):
        load_scorer(tmp_path / "damaged")
    with pytest.raises(ArtifactError, match="damaged"):
        FileScorer(Artifact(header=fitted.artifact.header, arrays={**arrays, "token_bytes": np.zeros(3, np.uint8)}))


def test_without_its_package_training_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked for by name it is an error with the command; by default training goes on and tells."""
    rows = "".join(f"Tell of {word},{row % 2},1\n" for row, word in enumerate((ANIMALS + TOOLS) * 2))
    log, scorer = tmp_path / "logs.csv", tmp_path / "scorer"
    log.write_text("prompt,cheap_quality,expensive_quality\n" + rows)
    monkeypatch.setitem(sys.modules, "wordllama", None)
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    train = ["train", str(log), "-o", str(scorer)]
    assert main([*train, "--embedding", "wordllama"]) != 0
    assert install_line("semantic") in capsys.readouterr().err
    assert not scorer.exists()
    assert main(train) == 0
    assert install_line("semantic") in capsys.readouterr().out
