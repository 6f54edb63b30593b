"""LiteLLM: a vector store made and searched, and an answer, through its unified calls.

pip install litellm mcp; set OPENAI_BASE_URL to http://127.0.0.1:8377/v1 and OPENAI_API_KEY to a key of
the server (any, where it runs open). Checked with litellm 1.106.
"""

import os

import litellm
from openai import OpenAI

server = {
    "api_base": os.environ["OPENAI_BASE_URL"],
    "api_key": os.environ["OPENAI_API_KEY"],
    "custom_llm_provider": "openai",
}
store = litellm.vector_stores.create(name="LiteLLM example", **server)
OpenAI().vector_stores.files.upload_and_poll(
    vector_store_id=store["id"], file=("paris.txt", b"Paris is the capital of France.")
)

found = litellm.vector_stores.search(
    vector_store_id=store["id"], query="capital of France", **server
)
assert found["data"][0]["filename"] == "paris.txt"
assert 0 < found["data"][0]["score"] <= 1

answer = litellm.responses(
    model="openai/extractive",
    input="What is the capital of France?",
    tools=[{"type": "file_search", "vector_store_ids": [store["id"]]}],
    api_base=server["api_base"],
    api_key=server["api_key"],
)
assert "Paris" in answer.output[-1].content[0].text
print("LiteLLM:", answer.output[-1].content[0].text)
