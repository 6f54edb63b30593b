"""OpenAI Agents SDK: an agent with the `FileSearchTool`, its results, and a second turn.

pip install openai-agents; set OPENAI_BASE_URL to http://127.0.0.1:8377/v1 and OPENAI_API_KEY to a
key of the server (any, where it runs open). Checked with openai-agents 0.24.
"""

from agents import Agent, FileSearchTool, Runner, set_tracing_disabled
from openai import OpenAI

set_tracing_disabled(True)  # traces would go to the hosted service

client = OpenAI()
store = client.vector_stores.create(name="Agents example")
client.vector_stores.files.upload_and_poll(
    vector_store_id=store.id, file=("paris.txt", b"Paris is the capital of France.")
)

search = FileSearchTool(
    vector_store_ids=[store.id], max_num_results=3, include_search_results=True
)
agent = Agent(name="Geographer", model="extractive", tools=[search])

first = Runner.run_sync(agent, "What is the capital of France?")
assert "Paris" in first.final_output
(call,) = [item.raw_item for item in first.new_items if item.type == "tool_call_item"]
assert call.results[0].filename == "paris.txt"

question = {"role": "user", "content": "Which country has Paris as its capital?"}
second = Runner.run_sync(agent, [*first.to_input_list(), question])
assert "France" in second.final_output
print("OpenAI Agents SDK:", first.final_output)
