"""What providers really answer with 400, 413 and 422, as their documentation, their servers' source and public reports of
users show it, and what each means: `ours` to mend (key, account, place, name, set-up), what this `model` lacks and
another may have, `too_long` with the window that it tells, or the `caller`'s fault.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Refusal(NamedTuple):
    """One answer. param: that a caller is told, where it is known. window: in tokens, where it is told."""

    provider: str
    status: int
    body: Any
    means: str
    param: str | None = None
    window: int | None = None


def _openai(
    message: str, code: str | None = None, param: str | None = None, kind: str = "invalid_request_error"
) -> Any:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _anthropic(message: str) -> Any:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"}


def _google(message: str, status: str = "INVALID_ARGUMENT") -> Any:
    return {"error": {"code": 400, "message": message, "status": status}}


def _vllm(message: str) -> Any:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


def _xai(message: str) -> Any:
    return {"code": "Client specified an invalid argument", "error": message}


def _mistral(message: str, kind: str, code: str) -> Any:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": code}


def _field(kind: str, place: list[str], message: str) -> Any:
    return {"detail": [{"type": kind, "loc": ["body", *place], "msg": message, "input": "x"}]}


OURS = [
    Refusal("openai", 400, _openai("Billing hard limit has been reached", "billing_hard_limit_reached", kind="billing_limit_user_error"), "ours"),
    Refusal("openai", 400, _openai("invalid model ID"), "ours"),
    Refusal("openai", 400, _openai("The requested model 'gpt-4o-x' does not exist.", "model_not_found", "model"), "ours"),
    Refusal("openai", 400, _openai("Your organization must be verified to stream this model. Please go to: https://platform.openai.com/settings/organization/general and click on Verify Organization.", "unsupported_value", "stream"), "ours"),
    Refusal("openai", 400, _openai("you must provide a model parameter"), "ours"),
    Refusal("azure", 400, {"error": {"code": "OperationNotSupported", "message": "The chatCompletion operation does not work with the specified model, gpt-4o-mini. Please choose different model and try again."}}, "ours"),
    Refusal("azure", 400, {"error": {"code": "BadRequest", "message": "Model o1 is enabled only for api versions 2024-12-01-preview and later"}}, "ours"),
    Refusal("azure", 400, {"error": {"code": "BadRequest", "message": "API version not supported"}}, "ours"),
    Refusal("azure", 400, {"error": {"code": "InvalidApiVersionParameter", "message": "The api-version '2023-99' is invalid. The supported versions are '2024-10-21'."}}, "ours"),
    Refusal("azure", 400, {"error": {"code": "unavailable_model", "message": "Unavailable model: gpt-5", "details": "Unavailable model: gpt-5"}}, "ours"),
    Refusal("anthropic", 400, _anthropic("Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."), "ours"),
    Refusal("anthropic", 400, _anthropic("This organization has been disabled."), "ours"),
    Refusal("anthropic", 400, _anthropic("You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."), "ours"),
    Refusal("anthropic", 400, _anthropic("The long context beta is not yet available for this subscription."), "ours"),
    Refusal("anthropic", 400, _anthropic("Unexpected value(s) `x-2025` for the `anthropic-beta` header. Please consult our documentation at docs.anthropic.com or try again without the header."), "ours"),
    Refusal("anthropic", 400, _anthropic("anthropic-version: header is required"), "ours"),
    Refusal("anthropic", 400, _anthropic("This credential is only authorized for use with Claude Code and cannot be used for other API requests."), "ours"),
    Refusal("gemini", 400, _google("API key not valid. Please pass a valid API key."), "ours"),
    Refusal("gemini", 400, _google("API key expired. Please renew the API key."), "ours"),
    Refusal("gemini", 400, [_google("API key not valid. Please pass a valid API key.")], "ours"),
    Refusal("gemini", 400, _google("User location is not supported for the API use.", "FAILED_PRECONDITION"), "ours"),
    Refusal("gemini", 400, _google("User location is not supported for the API use without a billing account linked.", "FAILED_PRECONDITION"), "ours"),
    Refusal("gemini", 400, _google("Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.", "FAILED_PRECONDITION"), "ours"),
    Refusal("gemini", 400, _google("* GenerateContentRequest.model: unexpected model name format"), "ours"),
    Refusal("vertex", 400, _google("Project `acme-1` is not allowed to use Publisher Model `projects/acme-1/locations/us-east5/publishers/anthropic/models/claude-x`", "FAILED_PRECONDITION"), "ours"),
    Refusal("vertex", 400, _google("Publisher Model `projects/acme-1/locations/us-east1/publishers/anthropic/models/claude-x` is not servable in region us-east1.", "FAILED_PRECONDITION"), "ours"),
    Refusal("vertex", 400, _google("This API method requires billing to be enabled. Please enable billing on project #123 by visiting https://console.developers.google.com/billing/enable?project=123 then retry."), "ours"),
    Refusal("bedrock", 400, {"message": "The provided model identifier is invalid."}, "ours"),
    Refusal("bedrock", 400, {"message": "Invocation of model ID anthropic.claude-3-5-sonnet-20241022-v2:0 with on-demand throughput isn’t supported. Retry your request with the ID or ARN of an inference profile that contains this model."}, "ours"),
    Refusal("bedrock", 400, {"message": "The provided model doesn't support on-demand throughput."}, "ours"),
    Refusal("bedrock", 400, {"message": "Operation not allowed"}, "ours"),
    Refusal("bedrock", 400, {"message": "This action doesn't support the model that you provided. Try again with a supported text or chat model."}, "ours"),
    Refusal("bedrock", 400, {"message": "Your account is not authorized to invoke this API operation."}, "ours"),
    Refusal("bedrock", 400, {"message": "Access to Anthropic models is not allowed from unsupported countries, regions, or territories."}, "ours"),
    Refusal("bedrock", 400, {"message": "Model use case details have not been submitted for this account. Fill out the Anthropic use case details form before using the model."}, "ours"),
    Refusal("bedrock", 400, {"message": "An error occurred (ValidationException) when calling the Converse operation: The provided model identifier is invalid."}, "ours"),
    Refusal("mistral", 400, _mistral("Invalid model: mistral-huge", "invalid_model", "1500"), "ours"),
    Refusal("groq", 400, _openai("The model `gemma2-9b-it` has been decommissioned and is no longer supported. Please refer to https://console.groq.com/docs/deprecations for a recommendation on which model to use instead.", "model_decommissioned"), "ours"),
    Refusal("groq", 400, _openai("Organization has been restricted. Please reach out to support if you believe this was in error.", "organization_restricted"), "ours"),
    Refusal("groq", 400, _openai("The model `acme/voice` requires terms acceptance. Please have the org admin accept the terms at https://console.groq.com/playground?model=acme%2Fvoice", "model_terms_required"), "ours"),
    Refusal("groq", 400, _openai("The model `whisper-large-v3` does not support chat completions"), "ours"),
    Refusal("xai", 400, _xai("Incorrect API key provided: xa***zz. You can obtain an API key from https://console.x.ai."), "ours"),
    Refusal("xai", 400, {"code": "Some requested entity was not found", "error": "The model grok-x does not exist or your team 0000-1111 does not have access to it."}, "ours"),
    Refusal("xai", 400, _xai("Model not found: grok-x"), "ours"),
    Refusal("openrouter", 400, {"error": {"message": "acme/nope is not a valid model ID", "code": 400}, "user_id": "user_1"}, "ours"),
    Refusal("openrouter", 400, {"error": {"message": "Provider returned error", "code": 400, "metadata": {"provider_name": "Google AI Studio", "raw": '{"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}'}}, "user_id": "user_1"}, "ours"),
    Refusal("together", 400, _openai("Unable to access non-serverless model acme/big. Please visit https://api.together.ai/models/acme/big to create and start a new dedicated endpoint for the model.", "model_not_available"), "ours"),
    Refusal("together", 400, _openai("Unable to access model acme/big. Please visit https://api.together.ai/models to view the list of supported models."), "ours"),
    Refusal("fireworks", 412, {"error": {"message": "Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices. Please go to https://fireworks.ai/account/billing for more information.", "code": "PRECONDITION_FAILED"}}, "ours"),
    Refusal("deepseek", 400, _openai("Model Not Exist", "invalid_request_error"), "ours"),
    Refusal("cohere", 400, {"id": "1", "message": "model 'command-x' not found, make sure the correct model ID was used and that you have access to the model."}, "ours"),
    Refusal("cohere", 400, {"id": "1", "message": "model 'command-nightly' was removed on September 15, 2025. See https://docs.cohere.com/docs/deprecations for additional details"}, "ours"),
    Refusal("perplexity", 400, {"error": {"message": "Invalid model 'sonar-x'. Permitted models can be found in the documentation at https://docs.perplexity.ai/getting-started/models.", "type": "invalid_model", "code": 400}}, "ours"),
    Refusal("vllm", 400, _vllm("As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template if the tokenizer does not define one."), "ours"),
    Refusal("ollama", 400, {"error": "invalid model name"}, "ours"),
    Refusal("lmstudio", 400, _openai("No models loaded. Please load a model in the developer page or use the `lms load` command.", "model_not_found", "model"), "ours"),
    Refusal("lmstudio", 400, {"error": 'Failed to load model "acme-7b". Error: Model does not exist.'}, "ours"),
    Refusal("lmstudio", 400, {"error": "Model is unloaded."}, "ours"),
    Refusal("tgi", 422, {"error": "Template error: template not found", "error_type": "template_error"}, "ours"),
    Refusal("huggingface", 400, _openai("The requested model 'acme/big' is not supported by any provider you have enabled.", "model_not_supported", "model"), "ours"),
    Refusal("sambanova", 400, _openai("Model not found"), "ours"),
    Refusal("cerebras", 400, {"message": "Model acme-70b does not exist or you do not have access to it.", "type": "not_found_error", "param": "model", "code": "model_not_found"}, "ours"),
    Refusal("dashscope", 400, _openai("Access denied, please make sure your account is in good standing. For details, see: https://help.aliyun.com/", "Arrearage", kind="Arrearage"), "ours"),
    Refusal("watsonx", 400, {"errors": [{"code": "model_not_supported", "message": "Model 'acme/big' is not supported for this environment."}], "status_code": 400}, "ours"),
]  # fmt: skip

MODEL = [
    Refusal("openai", 400, _openai("Unsupported parameter: 'logprobs' is not supported with this model.", "unsupported_parameter", "logprobs"), "model", "logprobs"),
    Refusal("openai", 400, _openai("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.", "unsupported_value", "temperature"), "model", "temperature"),
    Refusal("openai", 400, _openai("Invalid content type. image_url is only supported by certain models.", None, "messages.[0].content.[1].type"), "model", "messages.[0].content.[1].type"),
    Refusal("openai", 400, _openai("Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", None, "response_format"), "model", "response_format"),
    Refusal("openai", 400, _openai("Unrecognized request argument supplied: min_p"), "model", "min_p"),
    Refusal("openai", 400, _openai("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.", "invalid_value", "max_tokens"), "model", "max_tokens"),
    Refusal("anthropic", 400, _anthropic("'claude-2.1' does not support image input."), "model"),
    Refusal("anthropic", 400, _anthropic("`temperature` is deprecated for this model."), "model", "temperature"),
    Refusal("anthropic", 400, _anthropic("This model does not support assistant message prefill. The conversation must end with a user message."), "model"),
    Refusal("anthropic", 400, _anthropic("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022"), "model", "max_tokens"),
    Refusal("anthropic", 400, _anthropic("min_p: Extra inputs are not permitted"), "model", "min_p"),
    Refusal("gemini", 400, _google("Developer instruction is not enabled for models/gemma-3-27b-it"), "model"),
    Refusal("gemini", 400, _google("Function calling is not enabled for models/gemma-3-27b-it"), "model"),
    Refusal("gemini", 400, _google("Penalty is not enabled for this model"), "model"),
    Refusal("gemini", 400, _google("Multiple candidates is not enabled for this model"), "model"),
    Refusal("gemini", 400, _google("Thinking level is not supported for this model."), "model"),
    Refusal("gemini", 400, _google('Invalid JSON payload received. Unknown name "min_p": Cannot find field.'), "model", "min_p"),
    Refusal("bedrock", 400, {"message": "This model doesn't support tool use in streaming mode."}, "model"),
    Refusal("bedrock", 400, {"message": "This model doesn't support the image content block that you provided. Try again with a supported content block."}, "model"),
    Refusal("bedrock", 400, {"message": "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096."}, "model"),
    Refusal("mistral", 422, _field("extra_forbidden", ["min_p"], "Extra inputs are not permitted"), "model", "min_p"),
    Refusal("mistral", 422, {"object": "error", "message": _field("extra_forbidden", ["min_p"], "Extra inputs are not permitted"), "type": "invalid_request_error", "param": None, "code": None}, "model", "min_p"),
    Refusal("mistral", 400, _mistral("Function calling is not enabled for this model", "invalid_request_prompt", "1200"), "model"),
    Refusal("groq", 400, _openai("`tool calling` is not supported with this model"), "model"),
    Refusal("groq", 400, _openai("property 'min_p' is unsupported"), "model", "min_p"),
    Refusal("xai", 400, _xai("Model grok-4 does not support parameter presencePenalty."), "model", "presence_penalty"),
    Refusal("xai", 400, _xai("Argument not supported on this model: min_p"), "model", "min_p"),
    Refusal("fireworks", 400, _openai("Extra inputs are not permitted, field: 'min_p', value: 0.1", "invalid_request_error"), "model", "min_p"),
    Refusal("deepseek", 400, _openai("deepseek-reasoner does not support Function Calling", "invalid_request_error"), "model"),
    Refusal("cohere", 422, {"id": "1", "message": "unknown field: parameter 'min_p' is not a valid field"}, "model", "min_p"),
    Refusal("cohere", 400, {"id": "1", "message": "tool use is not supported by the provided model"}, "model"),
    Refusal("perplexity", 400, {"error": {"message": '["At body -> min_p: Extra inputs are not permitted"]', "type": "bad_request", "code": 400}}, "model", "min_p"),
    Refusal("vllm", 400, _vllm('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'), "model"),
    Refusal("vllm", 400, _vllm("acme/llama is not a multimodal model None"), "model"),
    Refusal("vllm", 400, _vllm("[{'type': 'extra_forbidden', 'loc': ('body', 'min_p'), 'msg': 'Extra inputs are not permitted', 'input': 0.1}]"), "model", "min_p"),
    Refusal("ollama", 400, _openai("registry.ollama.ai/library/gemma:2b does not support tools", kind="api_error"), "model"),
    Refusal("ollama", 400, {"error": '"gemma:2b" does not support thinking'}, "model"),
    Refusal("llamacpp", 500, {"error": {"code": 500, "message": "tools param requires --jinja flag", "type": "server_error"}}, "model"),
    Refusal("llamacpp", 500, {"error": {"code": 500, "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", "type": "server_error"}}, "model"),
    Refusal("llamacpp", 501, {"error": {"code": 501, "message": "This server does not support audio input.", "type": "not_supported_error"}}, "model"),
    Refusal("lmstudio", 400, {"error": "Model does not support images. Please use a model that does."}, "model"),
    Refusal("cerebras", 400, {"message": "property 'body.min_p' is unsupported", "type": "invalid_request_error", "param": "min_p", "code": "wrong_api_format"}, "model", "min_p"),
]  # fmt: skip

TOO_LONG = [
    Refusal("openai", 400, _openai("This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens. Please reduce the length of the messages.", "context_length_exceeded", "messages"), "too_long", window=4096),
    Refusal("openai", 400, _openai("Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens. Please reduce the length of the messages.", "context_length_exceeded", "messages"), "too_long", window=272000),
    Refusal("openai", 400, _openai("Your input exceeds the context window of this model. Please adjust your input and try again.", "context_length_exceeded", "input"), "too_long"),
    Refusal("azure", 400, {"error": {"message": "This model's maximum context length is 8192 tokens, however you requested 9000 tokens (8000 in your prompt; 1000 for the completion). Please reduce your prompt; or completion length.", "type": "invalid_request_error", "param": None, "code": None}}, "too_long", window=8192),
    Refusal("anthropic", 400, _anthropic("prompt is too long: 210000 tokens > 200000 maximum"), "too_long", window=200000),
    Refusal("anthropic", 400, _anthropic("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again"), "too_long", window=200000),
    Refusal("gemini", 400, _google("The input token count (1200293) exceeds the maximum number of tokens allowed (1048576)."), "too_long", window=1048576),
    Refusal("gemini", 400, _google("The input token count exceeds the maximum number of tokens allowed 1048576."), "too_long", window=1048576),
    Refusal("vertex", 400, _google("Unable to submit request because the input token count is 40000 but model only supports up to 32768. Reduce the input token count and try again."), "too_long", window=32768),
    Refusal("bedrock", 400, {"message": "Input is too long for requested model."}, "too_long"),
    Refusal("bedrock", 400, {"message": "The model returned the following errors: prompt is too long: 227255 tokens > 200000 maximum"}, "too_long", window=200000),
    Refusal("bedrock", 400, {"message": "Too many input tokens. Max input tokens: 8192, request input token count: 9000"}, "too_long", window=8192),
    Refusal("bedrock", 400, {"message": "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update the input to try again."}, "too_long"),
    Refusal("bedrock", 400, {"message": "Malformed input request: expected maxLength: 2048, actual: 3000, please reformat your input and try again."}, "too_long"),
    Refusal("mistral", 400, _mistral("Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length", "invalid_request_prompt", "3051"), "too_long", window=32768),
    Refusal("groq", 400, _openai("Please reduce the length of the messages or completion.", "context_length_exceeded", "messages"), "too_long"),
    Refusal("xai", 400, _xai("This model's maximum prompt length is 131072 but the request contains 140000 tokens."), "too_long", window=131072),
    Refusal("openrouter", 400, {"error": {"message": "This endpoint's maximum context length is 262000 tokens. However, you requested about 263390 tokens (658 of text input, 732 of tool input, 262000 in the output). Please reduce the length of either one.", "code": 400, "metadata": {"provider_name": None}}}, "too_long", window=262000),
    Refusal("together", 422, _openai("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 100 `max_new_tokens`", None, "max_tokens"), "too_long", window=8193),
    Refusal("fireworks", 400, {"error": {"object": "error", "type": "invalid_request_error", "code": "invalid_request_error", "message": "The prompt is too long: 140000, model maximum context length: 131071"}}, "too_long", window=131071),
    Refusal("deepseek", 400, _openai("This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (62000 in the messages, 8000 in the completion). Please reduce the length of the messages or completion.", "invalid_request_error"), "too_long", window=65536),
    Refusal("cohere", 400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000. Try using a shorter prompt, or enabling prompt truncating."}, "too_long", window=4081),
    Refusal("cohere", 400, {"message": "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs, or setting prompt_truncation='AUTO'."}, "too_long"),
    Refusal("vllm", 400, _vllm("This model's maximum context length is 6048 tokens. However, you requested 6616 tokens (568 in the messages, 6048 in the completion). Please reduce the length of the messages or completion."), "too_long", window=6048),
    Refusal("vllm", 400, _vllm("'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 10 input tokens (5000 > 4096 - 10). None"), "too_long", window=4096),
    Refusal("vllm", 400, _vllm("The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that `max_model_len` is no smaller than the number of text tokens."), "too_long", window=4096),
    Refusal("vllm", 400, _vllm("You passed 5001 input tokens and requested 100 output tokens. However, the model's context length is only 4096 tokens, resulting in a maximum input length of 3996 tokens."), "too_long", window=4096),
    Refusal("vllm", 400, _vllm("Input length (5000) exceeds model's maximum context length (4096)."), "too_long", window=4096),
    Refusal("vllm", 400, _vllm("max_tokens must be at least 1, got -186."), "too_long"),
    Refusal("ollama", 400, {"error": "the input length exceeds the context length"}, "too_long"),
    Refusal("llamacpp", 400, {"error": {"code": 400, "message": "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 4390, "n_ctx": 4096}}, "too_long", window=4096),
    Refusal("llamacpp", 500, {"error": {"code": 500, "message": "the request exceeds the available context size. try increasing the context size or enable context shift", "type": "exceed_context_size_error"}}, "too_long"),
    Refusal("llamacpp", 500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}, "too_long"),
    Refusal("lmstudio", 400, {"error": "Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context length of only 7866 tokens, which is not enough. Try to load the model with a larger context length, or provide a shorter input"}, "too_long", window=7866),
    Refusal("lmstudio", 400, {"error": "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."}, "too_long", window=4096),
    Refusal("tgi", 422, {"error": "Input validation error: `inputs` must have less than 4096 tokens. Given: 4545", "error_type": "validation"}, "too_long", window=4096),
    Refusal("tgi", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1244 `inputs` tokens and 1000 `max_new_tokens`", "error_type": "validation"}, "too_long", window=2048),
    Refusal("sambanova", 400, _openai("The maximum context length of DeepSeek-V3-0324 is 32768. However, answering your request will take 39732 tokens. Please reduce the length of the messages or the specified max_completion_tokens value."), "too_long", window=32768),
    Refusal("sambanova", 400, _openai("Requested generation length 500 is not possible! The provided prompt is 9000 tokens long, so generating 500 tokens requires a sequence length of 9500, but the maximum supported sequence length is just 8192!"), "too_long", window=8192),
    Refusal("cerebras", 400, {"message": "Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000", "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}, "too_long", window=40000),
    Refusal("dashscope", 400, _openai("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]", "invalid_parameter_error"), "too_long", window=30720),
    Refusal("moonshot", 400, _openai("Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)"), "too_long", window=8192),
    Refusal("together", 400, _openai("The input (5000 tokens) is longer than the model's context length (4096 tokens)."), "too_long", window=4096),
    Refusal("sambanova", 400, _openai("Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 40000 tokens"), "too_long", window=32768),
    Refusal("watsonx", 400, {"errors": [{"code": "invalid_input_argument", "message": "Invalid input argument for Model 'acme/big': the number of input tokens 9000 cannot exceed the total tokens limit 8192 for this model"}]}, "too_long", window=8192),
]  # fmt: skip

CALLER = [
    Refusal("openai", 400, _openai("Invalid value: 'critic'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", "invalid_value", "messages[0].role"), "caller", "messages[0].role"),
    Refusal("openai", 400, _openai("Missing required parameter: 'messages[0].content[0].type'.", "missing_required_parameter", "messages[0].content[0].type"), "caller", "messages[0].content[0].type"),
    Refusal("openai", 400, _openai("Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 43 instead.", "string_above_max_length", "messages[2].tool_calls[0].id"), "caller", "messages[2].tool_calls[0].id"),
    Refusal("openai", 400, _openai("Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be supplied and to be false.", "invalid_function_parameters", "tools[0].function.parameters"), "caller", "tools[0].function.parameters"),
    Refusal("openai", 400, _openai("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.", None, "messages.[3].role"), "caller", "messages.[3].role"),
    Refusal("openai", 400, _openai("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.", None, "messages"), "caller", "messages"),
    Refusal("openai", 400, _openai("You uploaded an unsupported image. Please make sure your image is valid.", "invalid_image_format"), "caller"),
    Refusal("openai", 400, _openai("Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "invalid_prompt"), "caller"),
    Refusal("azure", 400, {"error": {"message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry.", "type": None, "param": "prompt", "code": "content_filter", "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, "caller", "prompt"),
    Refusal("anthropic", 400, _anthropic("messages.0.content.0.text: Field required"), "caller"),
    Refusal("anthropic", 400, _anthropic("messages: at least one message is required"), "caller"),
    Refusal("anthropic", 400, _anthropic("messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."), "caller"),
    Refusal("anthropic", 400, _anthropic("tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"), "caller"),
    Refusal("anthropic", 400, _anthropic("messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6000000 bytes > 5242880 bytes"), "caller"),
    Refusal("anthropic", 400, _anthropic("Could not process image"), "caller"),
    Refusal("anthropic", 400, _anthropic("Output blocked by content filtering policy"), "caller"),
    Refusal("gemini", 400, _google("* GenerateContentRequest.contents: contents is not specified"), "caller"),
    Refusal("gemini", 400, _google("Please ensure that function call turn comes immediately after a user turn or after a function response turn."), "caller"),
    Refusal("gemini", 400, _google("Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"), "caller"),
    Refusal("vertex", 400, _google("Unable to submit request because it has a temperature value of 3 but the supported range is from 0 (inclusive) to 2.0001 (exclusive)."), "caller"),
    Refusal("bedrock", 400, {"message": "A conversation must start with a user message. Try again with a conversation that starts with a user message."}, "caller"),
    Refusal("bedrock", 400, {"message": "The text field in the ContentBlock object at messages.0.content.0 is blank. Add text to the text field, and try again."}, "caller"),
    Refusal("mistral", 422, _field("missing", ["messages", "0", "content"], "Field required"), "caller", "messages.0.content"),
    Refusal("mistral", 400, _mistral("Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant", "invalid_request_message_order", "3230"), "caller"),
    Refusal("mistral", 400, _mistral("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", "invalid_function_call", "3280"), "caller"),
    Refusal("xai", 422, "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant `critic`, expected one of `system`, `user` at line 1 column 40", "caller"),
    Refusal("deepseek", 400, _openai("Content Exists Risk", "invalid_request_error"), "caller"),
    Refusal("deepseek", 400, _openai("The last message of deepseek-reasoner must be a user message, or an assistant message with prefix mode on", "invalid_request_error"), "caller"),
    Refusal("cohere", 400, {"id": "1", "message": "invalid request: message must be at least 1 token long or tool results must be specified."}, "caller"),
    Refusal("perplexity", 400, {"error": {"message": "After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s).", "type": "invalid_message", "code": 400}}, "caller"),
    Refusal("vllm", 400, _vllm("temperature must be non-negative, got -1.0."), "caller"),
    Refusal("vllm", 400, _vllm("Conversation roles must alternate user/assistant/user/assistant/..."), "caller"),
    Refusal("llamacpp", 400, {"error": {"code": 400, "message": "'messages' is required", "type": "invalid_request_error"}}, "caller"),
    Refusal("lmstudio", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, "caller"),
    Refusal("tgi", 422, {"error": "Input validation error: `temperature` must be strictly positive", "error_type": "validation"}, "caller"),
    Refusal("dashscope", 400, _openai("Input data may contain inappropriate content.", "data_inspection_failed", kind="data_inspection_failed"), "caller"),
]  # fmt: skip

# Of these nothing says whose fault they are: the next model's answer does.
UNCLEAR = [
    Refusal("openai", 400, _openai("We could not understand your request."), "unclear"),
    Refusal("groq", 400, _openai("Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.", "tool_use_failed"), "unclear"),
    Refusal("openai", 400, _openai("OpenAI-Organization header should match organization for API key", "mismatched_organization"), "unclear"),
    Refusal("gemini", 400, _google("Request contains an invalid argument."), "unclear"),
    Refusal("gemini", 400, _google("Precondition check failed.", "FAILED_PRECONDITION"), "unclear"),
    Refusal("ollama", 400, {"error": "model requires more system memory (5.6 GiB) than is available (3.1 GiB)"}, "unclear"),
    Refusal("vllm", 400, _vllm("At most 1 image(s) may be provided in one request."), "unclear"),
    Refusal("zhipu", 400, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}, "unclear"),
    Refusal("lmstudio", 400, {"error": "The model has crashed without additional information. (Exit code: 6)"}, "unclear"),
    Refusal("proxy", 400, "<html><body><h1>400 Bad Request</h1></body></html>", "unclear"),
    Refusal("proxy", 400, "", "unclear"),
]  # fmt: skip

ALL = [*OURS, *MODEL, *TOO_LONG, *CALLER, *UNCLEAR]
