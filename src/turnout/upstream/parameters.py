"""Which of a caller's parameters each model is sent: as they are, under the place where its provider reads them, left
out where that changes no answer, or refused where it would.

litellm's own list of what a model takes (`get_supported_openai_params`) decides; it is read once a model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from turnout.attempt_errors import Unsupported
from turnout.openai.requests import SHAPELESS
from turnout.ports.runtime import ProviderCall
from turnout.upstream.direct.deployments import PLACES, first_set
from turnout.upstream.thinking import is_claude, lacks_thinking, sendable, without_thinking

# Left out, they change no answer: `prediction` makes it faster, the others are for a provider's accounts and cache.
_DROPPABLE = SHAPELESS | {"prediction"}
# Values that say what every model does anyway.
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "stop": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    # Of open models' servers.
    "ignore_eos": (False,),
    "length_penalty": (1,),
    "min_p": (0,),
    "min_tokens": (0,),
    "mirostat": (0,),
    "no_repeat_ngram_size": (0,),
    "repeat_penalty": (1,),
    "repetition_penalty": (1,),
    "top_a": (0,),
    "top_k": (-1, 0),
    "typical_p": (1,),
    "use_beam_search": (False,),
}
# litellm maps these for every provider, or says itself that it cannot.
_LEFT_TO_LITELLM = frozenset({"max_tokens", "max_completion_tokens", "functions", "function_call", "extra_body"})
# A provider's own parameters that its class takes as arguments, and nowhere else.
_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "anthropic": frozenset({"thinking", "top_k"}),
    "bedrock": frozenset({"thinking", "top_k"}),
    "cohere_chat": frozenset({"k", "p", "safety_mode"}),
    "gemini": frozenset({"thinking", "top_k"}),
    "vertex_ai": frozenset({"thinking", "top_k"}),
}
# Their classes send a literal `extra_body`, which the provider refuses.
_NO_EXTRA_BODY = frozenset({"anthropic", "bedrock", "cohere_chat"})
# How servers of open models draw, beside OpenAI's parameters: each takes some of these.
_DRAWING = frozenset({
    "dynatemp_range", "eta_cutoff", "epsilon_cutoff", "ignore_eos", "length_penalty", "min_p", "min_tokens", "mirostat",
    "mirostat_eta", "mirostat_tau", "no_repeat_ngram_size", "penalty_alpha", "repeat_last_n", "repeat_penalty",
    "repetition_penalty", "tfs_z", "top_a", "top_k", "typical_p", "use_beam_search",
})  # fmt: skip
# Those of them that these providers take, as they document it. The others they refuse, or leave out silently, which
# makes another answer. Of whoever is not here nobody knows, and all are sent.
_DRAWS: Mapping[str, frozenset[str]] = {
    "azure": frozenset(),
    "cerebras": frozenset(),
    "deepseek": frozenset(),
    "gemini": frozenset({"top_k"}),
    "groq": frozenset(),
    "mistral": frozenset(),
    "openai": frozenset(),
    "perplexity": frozenset({"top_k"}),
    "vertex_ai": frozenset({"top_k"}),
    "xai": frozenset(),
}
# They take every parameter of OpenAI's, whatever litellm knows of the model.
_OPENAIS_OWN = frozenset({"azure", "openai"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one model takes. names: OpenAI's parameters; None where nobody knows, and all are sent. own_server: it
    speaks the provider's wire, but at an address of the app's own."""

    provider: str
    names: frozenset[str] | None
    own_server: bool = False

    def draws_by(self, name: str) -> bool:
        """Whether it may take this parameter, as far as that is known."""
        speaks_for_others = self.own_server and self.provider == "openai"
        return name not in _DRAWING or speaks_for_others or name in _DRAWS.get(self.provider, _DRAWING)


class ParameterBook:
    """Fits calls to what their models take. arguments: each model's own, as `acompletion` takes them. deployments: what
    litellm calls each."""

    def __init__(self, arguments: Mapping[str, Mapping[str, Any]], deployments: Mapping[str, str]) -> None:
        self._arguments = arguments
        self._deployments = deployments
        self._taken: dict[str, Taken] = {}

    def fitted(self, litellm: Any, call: ProviderCall) -> ProviderCall:
        """The call as its model takes it; what was left out stands in its progress. Raises Unsupported."""
        taken = self._taken.get(call.model)
        if taken is None:
            taken = self._taken[call.model] = _taken(
                litellm, self._deployments[call.model], self._arguments[call.model]
            )
        params, dropped = fit(taken, call.params, call.optional)
        messages = sendable(call.messages, taken.provider)
        if is_claude(taken.provider, self._deployments[call.model]) and lacks_thinking(messages):
            params, unthought = without_thinking(params, self._arguments[call.model])
            dropped = (*dropped, *unthought)
        if dropped:
            call.progress.dropped = dropped
        if params is call.params and messages is call.messages:
            return call
        return replace(call, params=params, messages=messages)


def fit(
    taken: Taken, params: Mapping[str, Any], optional: Collection[str] = ()
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The parameters to send, and the names of those left out. optional: what the caller lets a model do without.
    Raises Unsupported. Pure."""
    names, extra = taken.names, params.get("extra_body") or {}
    if not extra and (names is None or params.keys() <= names):
        return params, ()
    kept: dict[str, Any] = {}
    body: dict[str, Any] = {}
    dropped: list[str] = []
    for name, value in params.items():
        if name == "extra_body":
            continue
        if names is None or name in names:
            kept[name] = value
        elif name in _DROPPABLE and taken.provider in _OPENAIS_OWN:
            body[name] = value
        elif name in _DROPPABLE or name in optional or value in _NEUTRAL.get(name, ()):
            dropped.append(name)
        else:
            raise _refused(name)
    for name, value in extra.items():
        if name in _ARGUMENTS.get(taken.provider, ()):
            kept[name] = value
        elif name in _DROPPABLE and names is not None and name not in names and taken.provider not in _OPENAIS_OWN:
            dropped.append(name)
        elif taken.provider in _NO_EXTRA_BODY or (names is not None and not taken.draws_by(name)):
            if value not in _NEUTRAL.get(name, ()):
                raise _refused(name)
            dropped.append(name)
        else:
            body[name] = value
    return ({**kept, "extra_body": body} if body else kept), tuple(sorted(dropped))


def _refused(name: str) -> Unsupported:
    return Unsupported(f"this model does not take the parameter {name}", param=name)


def _taken(litellm: Any, name: str, arguments: Mapping[str, Any]) -> Taken:
    place = {key: arguments[key] for key in ("api_base", "custom_llm_provider") if key in arguments}
    model, provider, _, _ = litellm.get_llm_provider(name, **place)
    if arguments.get("drop_params") or litellm.drop_params:
        # The app's own word: litellm leaves out what a model does not take.
        return Taken(provider=provider, names=None)
    names = litellm.get_supported_openai_params(model=model, custom_llm_provider=provider)
    if names is None:
        return Taken(provider=provider, names=None)
    allowed = arguments.get("allowed_openai_params") or ()
    return Taken(
        provider=provider,
        names=frozenset({*names, *allowed, *_LEFT_TO_LITELLM}),
        own_server=bool(arguments.keys() & {"api_base", "base_url"} or first_set(os.environ, PLACES["openai"].bases)),
    )


# A caller may send any number of names of any length: no parameter is called so, and looking for each takes time.
_MOST_NAMES, _LONGEST_NAME = 200, 60


def name_parameter(error: Unsupported, params: Mapping[str, Any]) -> None:
    """Gives the error the parameter that its text names first, of these, however it is written there."""
    if error.param is None:
        sent = (name for name in (*params, *(params.get("extra_body") or ())) if len(name) <= _LONGEST_NAME)
        names = islice(sent, _MOST_NAMES)
        found = [(named.start(), -len(name), name) for name in names if (named := _spelled(name).search(error.message))]
        error.param = min(found)[2] if found else None


def _spelled(name: str) -> re.Pattern[str]:
    """The name as a word: `top_k`, `topK` or `top-k`."""
    return re.compile(rf"\b{'[ _-]?'.join(map(re.escape, name.split('_')))}\b", re.I)
