"""LangChain: an answer with citations, streamed, and a second turn.

pip install langchain-openai; set OPENAI_BASE_URL to http://127.0.0.1:8377/v1 and OPENAI_API_KEY to
a key of the server (any, where it runs open). Checked with langchain-openai 1.7.
"""

import os

from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from openai import OpenAI

client = OpenAI()
store = client.vector_stores.create(name="LangChain example")
client.vector_stores.files.upload_and_poll(
    vector_store_id=store.id, file=("paris.txt", b"Paris is the capital of France.")
)

model = ChatOpenAI(
    model="extractive", base_url=os.environ["OPENAI_BASE_URL"], use_responses_api=True
).bind_tools([{"type": "file_search", "vector_store_ids": [store.id]}])

history = [HumanMessage("What is the capital of France?")]
answer = model.invoke(history)
assert "Paris" in answer.text
citations = [c for block in answer.content for c in block.get("annotations", [])]
assert citations[0]["type"] == "file_citation"
assert citations[0]["filename"] == "paris.txt"

history += [answer, HumanMessage("And which country has Paris as its capital?")]
assert "France" in model.invoke(history).text  # the first answer is sent back as input

streamed = "".join(chunk.text for chunk in model.stream("What is the capital of France?"))
assert "Paris" in streamed
print("LangChain:", answer.text)
