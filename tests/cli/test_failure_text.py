"""Why a model gave no answer: the cause in words, and never a key."""

from __future__ import annotations

import pytest

from turnout.attempt_errors import Denied, Misconfigured, ProviderFailed
from turnout.cli.failure_text import Causes
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
    told = Causes(SETTINGS, ENVIRON).refusal("openai/small", fault)
    assert key not in told
    assert told.startswith("openai/small refuses us (401): check its key (api_key_env); it said: Incorrect API key")
    assert told.endswith("[key]. Go")


def test_words_that_are_no_keys_stay() -> None:
    """A cause that hides everything tells nothing."""
    fault = Denied("The model `gpt-9` does not exist in /home/me-myself", status=404)
    told = Causes(SETTINGS, ENVIRON).refusal("openai/small", fault)
    assert "check its name, and its address (api_base)" in told
    assert told.endswith("The model `gpt-9` does not exist in /home/me-myself")


def test_a_model_that_is_not_called_again_tells_why_it_was_refused_before() -> None:
    """Its circuit lets no second call through, and says nothing itself."""
    causes = Causes(SETTINGS, ENVIRON)
    told = causes.refusal("openai/small", Misconfigured("no", status=401))
    assert causes.refusal("openai/small", None) == told


def test_a_long_word_of_a_provider_is_one_short_line() -> None:
    """HTML pages come as errors, too."""
    fault = ProviderFailed("<html>\n" + "sorry " * 1000, status=502)
    told = Causes(SETTINGS, ENVIRON).failure("openai/small", UpstreamUnavailable("no model"), None, [fault])
    assert told.startswith("openai/small: provider_error (502): <html> sorry")
    assert len(told) < 300
    assert "\n" not in told
