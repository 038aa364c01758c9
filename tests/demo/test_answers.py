"""Reading the final answer out of a chatty reply."""

import pytest

from turnout.demo.tasks import Task, check, final_answer


def right(answer: str, reply: str) -> bool:
    """Whether a reply to a task with this answer counts as right."""
    return check(Task(id="t", family="any", prompt="?", answer=answer, steps=1), reply)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("42", "42"),
        ("42", "First 6 times 7.\nAnswer: 42"),
        ("42", "**Answer: 42**"),
        ("42", "The final answer is 42."),
        ("42", "So the answer is $42."),
        ("42", "The answer is 6 * 7 = 42 apples."),
        ("42", "The answer is: **42**\n\n"),
        ("42", "I first thought the answer is 41. No: the answer is 42."),
        ("12500", "Answer: 12,500 metres"),
        ("42", "Result: 42.0"),
        ("islaudz", "Answer: islaudz"),
        ("-18", "Answer: -18"),
        ("Friday", "So the answer is Friday."),
        ("Friday", "Answer: it is a Friday"),
        ("7 April 2023", "The final answer is 7 April 2023."),
        ("Ann, Ben", "Answer: Ben and Ann."),
        ("planet", "Answer: 'planet'"),
        ("Ann, Ben", "Answer: the liars are Ben and Ann"),
    ],
)
def test_a_right_answer_is_found_whatever_surrounds_it(answer: str, reply: str) -> None:
    """Marks, units, other numbers before it, order and case do not matter."""
    assert right(answer, reply)


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("42", ""),
        ("42", "Answer:"),
        ("42", "Answer: 421"),
        ("42", "Answer: -42"),
        ("42", "It was 42 at first. Answer: 41"),
        ("42", "Answer: 41 or 42"),
        ("42", "I do not know"),
        ("Friday", "It was Friday. Answer: Saturday"),
        ("Friday", "Answer: Thursday or Friday"),
        ("Ann, Ben", "Answer: Ann"),
        ("Ann", "Answer: Ann, Ben"),
        ("7 April 2023", "Answer: 7 May 2023"),
        ("planet", "Answer: planets"),
    ],
)
def test_a_wrong_or_hedged_answer_is_not(answer: str, reply: str) -> None:
    """Naming everything, naming too little and being right only on the way count as wrong."""
    assert not right(answer, reply)


def test_without_a_mark_the_last_line_is_the_answer() -> None:
    """As people write it who only give the result."""
    assert final_answer("Adding up.\n  17\n\n") == "17"
