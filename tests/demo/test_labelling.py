"""The demo's labelled logs."""

from turnout.demo.labelling import log_rows
from turnout.demo.summary import TierAnswer
from turnout.demo.tasks import Task
from turnout.logs.labelled import Logs


def test_rows_hold_the_cheap_answer_for_the_cascade_to_learn_from() -> None:
    """Read back as labelled logs they tell the cheap answer's text, both qualities and both costs."""
    task = Task(id="t", family="any", prompt="What is 1 + 1?", answer="2", steps=1)
    cheap, expensive = (
        TierAnswer(text="1 + 1 = 3", correct=False, cost_usd=0.01),
        TierAnswer(text="2", correct=True, cost_usd=0.2),
    )
    logs = Logs.from_rows(log_rows([task], {"cheap": {"t": cheap}, "expensive": {"t": expensive}}), answers=True)
    assert list(logs.answers) == ["1 + 1 = 3"]
    assert (logs.cheap.tolist(), logs.expensive.tolist()) == ([0.0], [1.0])
    assert (logs.cheap_usd.tolist(), logs.expensive_usd.tolist()) == ([0.01], [0.2])
