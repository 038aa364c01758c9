"""Why a model gave no answer: the cause in words, and never a key."""

from __future__ import annotations

import pytest

from turnout.attempt_errors import Denied, Misconfigured, ProviderFailed
from turnout.cli.failure_text import FailureText
from turnout.errors import UpstreamUnavailable
from turnout.settings import Settings

SETTINGS = Settings.of(
    {
        "tiers": {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}},
        "models": {
            "openai/small": {"api_key_env": "MINE", "params": {"extra_headers": {"Authorization": "Token hush-hush-7"}}}
        },
    }
)
ENVIRON = {"MINE": "abcdef123456", "OTHER_API_KEY": "zyxwvu987654", "HOME": "/home/me-myself"}


@pytest.mark.parametrize(
    "key",
    [
        "abcdef123456",
        "zyxwvu987654",
        "Token hush-hush-7",
        "hush-hush-7",
        "sk-proj-AbC_123-xyz789",
        "sk-ab****wxyz",
        "AIzaSyA1234567890",
    ],
)
def test_a_key_that_a_provider_shows_back_is_hidden(key: str) -> None:
    """The settings' and the environment's, and whatever looks like one."""
    fault = Misconfigured(f"AuthenticationError: OpenAIException - Incorrect API key provided: {key}. Go", status=401)
    text = FailureText(SETTINGS, ENVIRON).refusal("openai/small", fault)
    assert key not in text
    assert text.startswith("openai/small refuses us (401): check its key (api_key_env); it said: Incorrect API key")
    assert text.endswith("[key]. Go")


def test_words_that_are_no_keys_stay() -> None:
    """A cause that hides everything says nothing."""
    fault = Denied("The model `gpt-9` does not exist in /home/me-myself", status=404)
    text = FailureText(SETTINGS, ENVIRON).refusal("openai/small", fault)
    assert "check its name, and its address (api_base)" in text
    assert text.endswith("The model `gpt-9` does not exist in /home/me-myself")


def test_a_model_that_is_not_called_again_tells_why_it_was_refused_before() -> None:
    """Its circuit lets no second call through, and says nothing itself."""
    failure_text = FailureText(SETTINGS, ENVIRON)
    text = failure_text.refusal("openai/small", Misconfigured("no", status=401))
    assert failure_text.refusal("openai/small", None) == text


def test_a_long_word_of_a_provider_is_one_short_line() -> None:
    """HTML pages come as errors, too."""
    fault = ProviderFailed("<html>\n" + "sorry " * 1000, status=502)
    text = FailureText(SETTINGS, ENVIRON).failure("openai/small", UpstreamUnavailable("no model"), None, [fault])
    assert text.startswith("openai/small: provider_error (502): <html> sorry")
    assert len(text) < 300
    assert "\n" not in text
