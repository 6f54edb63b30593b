"""The official client walks over every method; each reply is checked on its way."""

from __future__ import annotations

import asyncio
import inspect

import httpx2
import openai
from conformance import check
from walk import expected, walk


def test_the_synchronous_client_walks(service):
    called = asyncio.run(walk(service.client))
    assert called == expected(service.client)
    assert len(called) > 30


def test_the_asynchronous_client_walks(service):
    async def walked():
        async def checked(response):
            await response.aread()
            check(response)

        hooks = {"response": [checked]}
        async with httpx2.AsyncClient(event_hooks=hooks, timeout=60) as http:
            client = openai.AsyncOpenAI(
                base_url=f"{service.url}/v1", api_key="any", http_client=http, max_retries=0
            )
            return await walk(client), expected(client)

    called, all_methods = asyncio.run(walked())
    assert called == all_methods


def test_the_client_is_as_it_was_published():
    assert "site-packages" in inspect.getfile(openai)
    assert int(openai.__version__.split(".")[0]) >= 3
