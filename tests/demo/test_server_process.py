"""A demo provider as a process: up when it says so, gone when its parent is."""

import subprocess
import sys
import time

import httpx
import pytest
from openai.types.chat import ChatCompletionUserMessageParam

from openai import OpenAI
from turnout.demo.server_process import ProviderProcess
from turnout.demo.tasks import check, generate

# Starts a provider, prints its address, and dies without stopping it.
DIES = """
import os
from turnout.demo.server_process import ProviderProcess
provider = ProviderProcess("cheap").start()
print(provider.base_url, flush=True)
os._exit(1)
"""


def is_up(address: str) -> bool:
    """Whether a provider answers there."""
    try:
        return httpx.get(f"{address}/models", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def test_the_openai_sdk_gets_tasks_solved_by_two_at_once() -> None:
    """Whole and streamed, from two processes, each counting its own calls."""
    task = next(task for task in generate(50, seed=5) if task.steps == 2)
    with (
        ProviderProcess("cheap", speed=100) as cheap,
        ProviderProcess("expensive", speed=100) as expensive,
    ):
        for provider in (cheap, expensive):
            with OpenAI(base_url=provider.base_url, api_key="-", max_retries=0) as client:
                messages: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": task.prompt}]
                completion = client.chat.completions.create(model=provider.model, messages=messages)
                with client.chat.completions.create(model=provider.model, messages=messages, stream=True) as chunks:
                    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            text = completion.choices[0].message.content or ""
            assert check(task, text)
            assert streamed == text
            assert provider.stats()["calls"] == 2
        assert cheap.base_url != expensive.base_url


def test_it_is_gone_after_the_block() -> None:
    """Nothing answers there any more, and stopping it again does no harm."""
    with ProviderProcess("cheap") as provider:
        assert is_up(provider.base_url)
    assert not is_up(provider.base_url)
    provider.stop()


def test_one_that_cannot_start_says_so() -> None:
    """An unknown skill ends the process before it listens."""
    with pytest.raises(RuntimeError, match="did not start"):
        ProviderProcess("genius").start()


def test_it_ends_when_its_input_closes() -> None:
    """By itself, and in good order."""
    server = subprocess.Popen(
        [sys.executable, "-m", "turnout.demo.provider_server", "--skill", "cheap"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdout is not None
    assert b'"port"' in server.stdout.readline()
    server.communicate(timeout=10)
    assert server.returncode == 0


def test_none_is_left_behind_when_the_parent_dies() -> None:
    """The parent leaves without a word; the provider notices."""
    parent = subprocess.run([sys.executable, "-c", DIES], stdout=subprocess.PIPE, text=True, timeout=30, check=False)
    address = parent.stdout.strip()
    assert address.startswith("http://127.0.0.1:")
    give_up = time.monotonic() + 10
    while is_up(address):
        assert time.monotonic() < give_up
