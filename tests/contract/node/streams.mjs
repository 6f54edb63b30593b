// Every kind of stream of /v1/responses, read by the official Node client.
// `node streams.mjs` with OPENAI_BASE_URL and OPENAI_API_KEY set; the server's language model
// `scripted` does what the input says (outside.py).

import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

const TEXT = "Paris is the capital of France. The Seine flows through it.";
const WEATHER = {
  type: "function", name: "weather", strict: true, description: "tells the weather",
  parameters: {
    type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false,
  },
};

const client = new OpenAI({ maxRetries: 0 });
const kinds = new Set();

async function madeStore() {
  const store = await client.vectorStores.create({});
  const file = await toFile(Buffer.from(TEXT), "paris.txt");
  assert.equal((await client.vectorStores.files.uploadAndPoll(store.id, file, { pollIntervalMs: 20 })).status, "completed");
  return { type: "file_search", vector_store_ids: [store.id] };
}

// The events of a stream, numbered without a gap; an error event is thrown by the client.
async function read(stream, { from = 0 } = {}) {
  const events = [];
  let error = null;
  try {
    for await (const event of stream) {
      assert.equal(event.sequence_number, from + events.length);
      kinds.add(event.type);
      events.push(event);
    }
  } catch (found) {
    if (!(found instanceof OpenAI.APIError)) throw found;
    error = found;
  }
  return { events, error, last: events.at(-1) };
}

const ask = (fields) => client.responses.create({ model: "scripted", stream: true, ...fields }).then(read);
const textOf = (events) => events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join("");

async function cited(tool, model) {
  const { events, last } = await ask({
    model, input: "What is the capital of France?", tools: [tool], include: ["file_search_call.results"],
  });
  assert.equal(last.type, "response.completed");
  const [search, message] = last.response.output;
  assert.equal(search.results[0].filename, "paris.txt");
  const part = message.content[0];
  assert.equal(part.text, textOf(events));
  assert.ok(part.annotations.length > 0);
  const added = events.filter((e) => e.type === "response.output_text.annotation.added");
  assert.deepEqual(added.map((e) => e.annotation), part.annotations);
  assert.deepEqual(added.map((e) => e.annotation_index), [...part.annotations.keys()]);
  for (const each of part.annotations) {
    assert.deepEqual(Object.keys(each).sort(), ["file_id", "filename", "index", "type"]);
  }
}

// The client's own accumulation of a stream comes to what the last event says.
async function accumulated(tool) {
  const stream = client.responses.stream({ model: "scripted", input: "Tell me of Paris.", tools: [tool] });
  let snapshot = "";
  stream.on("response.output_text.delta", (event) => { snapshot = event.snapshot; });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, snapshot);
  assert.equal(final.status, "completed");
}

async function calledFunction() {
  const { events, last } = await ask({ input: "Please call weather.", tools: [WEATHER] });
  const call = last.response.output.find((item) => item.type === "function_call");
  assert.deepEqual(JSON.parse(call.arguments), { city: "Paris" });
  const done = events.find((e) => e.type === "response.function_call_arguments.done");
  assert.deepEqual([done.arguments, done.name, done.item_id], [call.arguments, "weather", call.id]);
  const after = await ask({
    previous_response_id: last.response.id, tools: [WEATHER],
    input: [{ type: "function_call_output", call_id: call.call_id, output: "sunny" }, { role: "user", content: "Go on." }],
  });
  assert.equal(after.last.type, "response.completed");
}

async function refused() {
  const { events, last } = await ask({ input: "Please refuse." });
  assert.equal(last.type, "response.completed");
  assert.equal(last.response.output[0].content[0].refusal, "I cannot help with that.");
  assert.ok(events.some((e) => e.type === "response.refusal.done"));
}

async function cut() {
  const { last } = await ask({ input: "Please stop early." });
  assert.equal(last.type, "response.incomplete");
  assert.equal(last.response.incomplete_details.reason, "max_output_tokens");
  assert.equal(last.response.output[0].status, "incomplete");
}

// The client throws at the `error` event; the response that failed can be read afterwards.
async function failed() {
  const { events, error } = await ask({ input: "Please fail." });
  assert.match(error.message, /too many/);
  assert.equal(error.code, "rate_limit_exceeded");
  const stored = await client.responses.retrieve(events[0].response.id);
  assert.deepEqual([stored.status, stored.error.code], ["failed", "rate_limit_exceeded"]);
  assert.equal(stored.output_text, "Before it"); // a space may yet belong to a marker
}

async function background() {
  const stream = await client.responses.create({
    model: "scripted", input: "Please take long.", background: true, stream: true,
  });
  const begun = [];
  for await (const event of stream) {
    kinds.add(event.type);
    begun.push(event);
    if (event.type === "response.output_text.delta") break;
  }
  assert.deepEqual(begun.slice(0, 3).map((e) => e.type), ["response.created", "response.queued", "response.in_progress"]);
  const { id } = begun[0].response;
  const after = begun.at(-1).sequence_number;
  const rest = await read(await client.responses.retrieve(id, { stream: true, starting_after: after }), { from: after + 1 });
  assert.equal(rest.last.type, "response.completed");
  assert.equal(textOf([...begun, ...rest.events]), rest.last.response.output[0].content[0].text);
  const again = await read(await client.responses.retrieve(id, { stream: true }));
  assert.equal(again.events.length, begun.length + rest.events.length);
  assert.deepEqual(again.last, rest.last);
}

async function cancelled() {
  const begun = await client.responses.create({ model: "scripted", input: "Please take long.", background: true });
  assert.ok(["queued", "in_progress"].includes(begun.status));
  assert.equal((await client.responses.cancel(begun.id)).status, "cancelled");
  assert.equal((await client.responses.cancel(begun.id)).status, "cancelled");
  assert.equal((await client.responses.delete(begun.id), await client.responses.retrieve(begun.id).catch((e) => e.status)), 404);
}

async function conversation(tool) {
  const made = await client.conversations.create({ metadata: { topic: "cities" }, items: [{ role: "user", content: "Hello." }] });
  const { last } = await ask({ input: "Tell me of Paris.", conversation: made.id, tools: [tool] });
  assert.equal(last.response.conversation.id, made.id);
  const items = [];
  for await (const item of client.conversations.items.list(made.id, { order: "asc", limit: 2 })) items.push(item.type);
  assert.deepEqual(items, ["message", "message", "file_search_call", "message"]);
  assert.equal((await client.conversations.update(made.id, { metadata: {} })).id, made.id);
  assert.equal((await client.conversations.delete(made.id)).deleted, true);
}

async function structured() {
  const format = { type: "json_schema", name: "city", strict: true, schema: WEATHER.parameters };
  const { last } = await ask({ input: "Please give JSON.", text: { format } });
  assert.deepEqual(JSON.parse(last.response.output[0].content[0].text), { city: "Paris" });
}

async function others() {
  const counted = await client.responses.inputTokens.count({ model: "scripted", input: "one two three" });
  assert.ok(counted.input_tokens > 0);
  const compacted = await client.responses.compact({ model: "scripted", input: "Remember Paris." });
  assert.equal(compacted.output.at(-1).type, "compaction");
  const error = await client.responses.create({ model: "nobody", input: "?", stream: true }).catch((found) => found);
  assert.deepEqual([error.status, error.code, error.param], [400, "model_not_found", "model"]);
}

const tool = await madeStore();
await cited(tool, "extractive");
await cited(tool, "scripted");
await accumulated(tool);
await calledFunction();
await refused();
await cut();
await failed();
await background();
await cancelled();
await conversation(tool);
await structured();
await others();
console.log(`openai ${VERSION} for Node ${process.version}: ${kinds.size} kinds of events`);
