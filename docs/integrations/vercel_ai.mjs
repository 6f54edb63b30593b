// Vercel AI SDK: an answer with sources, at once and streamed.
//
// npm install ai @ai-sdk/openai openai; set OPENAI_BASE_URL to http://127.0.0.1:8377/v1 and
// OPENAI_API_KEY to a key of the server (any, where it runs open). Checked with ai 7.0.

import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, streamText } from "ai";
import OpenAI, { toFile } from "openai";

const client = new OpenAI();
const store = await client.vectorStores.create({ name: "Vercel AI example" });
const file = await toFile(Buffer.from("Paris is the capital of France."), "paris.txt");
await client.vectorStores.files.uploadAndPoll(store.id, file);

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const asked = {
  model: openai.responses("extractive"),
  prompt: "What is the capital of France?",
  tools: { file_search: openai.tools.fileSearch({ vectorStoreIds: [store.id] }) },
};

const { text, sources } = await generateText(asked);
assert.match(text, /Paris/);
assert.equal(sources[0].filename, "paris.txt");

const stream = streamText(asked);
let streamed = "";
for await (const piece of stream.textStream) streamed += piece;
assert.match(streamed, /Paris/);
assert.ok((await stream.sources).length > 0);
console.log("Vercel AI SDK:", text);
