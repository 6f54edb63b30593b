// A walk over every method of the official Node client's resources that are served.
// `npm install` here, then `node walk.mjs` with OPENAI_BASE_URL and OPENAI_API_KEY set.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import OpenAI, { toFile } from "openai";
import { VERSION } from "openai/version";

const TEXTS = {
  "paris.txt": "Paris is the capital of France. The Seine flows through it.",
  "rome.md": "# Italy\n\nRome is the capital of Italy. It was not built in a day.",
  "oslo.txt": "Oslo is the capital of Norway. In winter it is cold there.",
};
const STATIC = { type: "static", static: { max_chunk_size_tokens: 200, chunk_overlap_tokens: 50 } };
const QUICK = { pollIntervalMs: 20 };

const client = new OpenAI({ maxRetries: 0 });
const called = new Set();

// Passes calls on to the client and notes their names.
function seen(resource, path) {
  return new Proxy(resource, {
    get(target, name) {
      const found = target[name];
      if (typeof found === "function") {
        return (...given) => {
          called.add(`${path}.${name}`);
          return found.apply(target, given);
        };
      }
      return found;
    },
  });
}

const files = seen(client.files, "files");
const uploads = seen(client.uploads, "uploads");
const parts = seen(client.uploads.parts, "uploads.parts");
const stores = seen(client.vectorStores, "vectorStores");
const storeFiles = seen(client.vectorStores.files, "vectorStores.files");
const batches = seen(client.vectorStores.fileBatches, "vectorStores.fileBatches");
const models = seen(client.models, "models");

async function everything(pages) {
  const found = [];
  for await (const item of pages) found.push(item);
  return found;
}

async function refused(status, call) {
  const error = await call().then(() => assert.fail("it was not refused"), (found) => found);
  assert.equal(error.status, status, error.message);
  assert.ok(error.requestID);
  return error;
}

const added = (name, text) => toFile(Buffer.from(text), name).then((file) => client.files.create({ file, purpose: "assistants" }));

async function walkFiles() {
  const file = await files.create({ file: await toFile(Buffer.from("four"), "名前.txt"), purpose: "user_data" });
  assert.equal(file.bytes, 4);
  assert.equal(file.filename, "名前.txt");
  const soon = await files.create({
    file: await toFile(Buffer.from("text"), "soon.txt"), purpose: "evals",
    expires_after: { anchor: "created_at", seconds: 3600 },
  });
  assert.equal(soon.expires_at, soon.created_at + 3600);
  const listed = await everything(files.list({ limit: 1 }));
  assert.deepEqual(listed.map((each) => each.id), [soon.id, file.id]);
  assert.deepEqual((await everything(files.list({ purpose: "evals" }))).map((each) => each.id), [soon.id]);
  assert.deepEqual(await files.retrieve(file.id), file);
  assert.equal(await (await files.content(file.id)).text(), "four");
  assert.equal((await files.waitForProcessing(file.id, { pollInterval: 10 })).status, "processed");
  assert.equal((await files.delete(file.id)).deleted, true);
  const error = await refused(404, () => files.retrieve(file.id));
  assert.equal(error.message, `404 No such File object: ${file.id}`);
}

async function walkUploads() {
  const texts = Object.values(TEXTS);
  const whole = texts.join("");
  const upload = await uploads.create({
    filename: "whole.txt", purpose: "assistants", bytes: whole.length, mime_type: "text/plain",
  });
  const made = await Promise.all(texts.map(async (text) =>
    parts.create(upload.id, { data: await toFile(Buffer.from(text), "upload") })));
  const done = await uploads.complete(upload.id, {
    part_ids: made.map((part) => part.id), md5: createHash("md5").update(whole).digest("hex"),
  });
  assert.equal(done.status, "completed");
  assert.equal(await (await client.files.content(done.file.id)).text(), whole);
  const other = await uploads.create({ filename: "b", purpose: "user_data", bytes: 9, mime_type: "pdf" });
  assert.equal((await uploads.cancel(other.id)).status, "cancelled");
}

async function walkStores() {
  const made = [];
  for (const name of ["a", "b", "c"]) made.push(await stores.create({ name, metadata: { name } }));
  const ids = made.map((store) => store.id);
  assert.deepEqual((await everything(stores.list({ limit: 1, order: "asc" }))).map((s) => s.id), ids);
  const between = await stores.list({ order: "asc", after: ids[0], before: ids[2] });
  assert.deepEqual(between.data.map((store) => store.id), [ids[1]]);
  const changed = await stores.update(ids[0], { name: null, expires_after: { anchor: "last_active_at", days: 1 } });
  assert.equal(changed.name, null);
  assert.equal(changed.expires_at, changed.last_active_at + 86400);
  assert.deepEqual(await stores.retrieve(ids[0]), changed);
  for (const id of ids) assert.equal((await stores.delete(id)).deleted, true);
  await refused(404, () => stores.retrieve(ids[0]));
}

async function walkStoreFiles() {
  const store = await client.vectorStores.create({});
  const [first, second] = [await added("a.txt", "first"), await added("b.txt", "second")];
  await storeFiles.create(store.id, { file_id: first.id });
  assert.equal((await storeFiles.poll(store.id, first.id, QUICK)).status, "completed");
  const polled = await storeFiles.createAndPoll(
    store.id, { file_id: second.id, attributes: { n: 1, yes: true }, chunking_strategy: STATIC }, QUICK);
  assert.deepEqual(polled.attributes, { n: 1, yes: true });
  const third = await storeFiles.upload(store.id, await toFile(Buffer.from("third"), "c.txt"));
  const fourth = await storeFiles.uploadAndPoll(store.id, await toFile(Buffer.from("fourth"), "d.txt"), QUICK);
  assert.equal(fourth.status, "completed");
  const changed = await storeFiles.update(second.id, { vector_store_id: store.id, attributes: { n: 2 } });
  assert.deepEqual(changed.attributes, { n: 2 });
  assert.deepEqual(await storeFiles.retrieve(second.id, { vector_store_id: store.id }), changed);
  assert.equal((await everything(storeFiles.list(store.id, { limit: 3 }))).length, 4);
  assert.equal((await everything(storeFiles.list(store.id, { filter: "failed" }))).length, 0);
  const text = await everything(storeFiles.content(second.id, { vector_store_id: store.id }));
  assert.equal(text[0].text, "second");
  await storeFiles.delete(third.id, { vector_store_id: store.id });
  await refused(404, () => storeFiles.retrieve(third.id, { vector_store_id: store.id }));
}

async function walkBatches() {
  const store = await client.vectorStores.create({});
  const ids = [];
  for (const [name, text] of Object.entries(TEXTS)) ids.push((await added(name, text)).id);
  const batch = await batches.create(store.id, { file_ids: ids, attributes: { a: 1 } });
  const ended = await batches.poll(store.id, batch.id, QUICK);
  assert.deepEqual([ended.status, ended.file_counts.completed], ["completed", 3]);
  assert.deepEqual(await batches.retrieve(batch.id, { vector_store_id: store.id }), ended);
  const listed = await everything(batches.listFiles(batch.id, { vector_store_id: store.id, limit: 1 }));
  assert.deepEqual(listed.map((file) => file.id).sort(), ids.sort());
  const other = await client.vectorStores.create({});
  const polled = await batches.createAndPoll(other.id, { files: ids.map((file_id) => ({ file_id })) }, QUICK);
  assert.equal(polled.file_counts.completed, 3);
  const given = await Promise.all(Object.entries(TEXTS).map(([name, text]) => toFile(Buffer.from(text), name)));
  const uploaded = await batches.uploadAndPoll(other.id, { files: given, fileIds: [ids[0]] }, QUICK);
  assert.equal(uploaded.file_counts.completed, 4);
  assert.ok(uploaded.id.startsWith("vsfb_"));
  const stopped = await batches.create(other.id, { file_ids: ids });
  const cancelled = await batches.cancel(stopped.id, { vector_store_id: other.id });
  assert.ok(["cancelled", "completed"].includes(cancelled.status));
  return store.id;
}

async function walkSearch(storeId) {
  const found = await everything(stores.search(storeId, { query: "capital of France" }));
  assert.equal(found[0].filename, "paris.txt");
  const more = await everything(stores.search(storeId, {
    query: ["capital of Norway", "cold winter"], rewrite_query: true, max_num_results: 2,
    ranking_options: { ranker: "none", score_threshold: 0.01 },
    filters: { type: "and", filters: [{ type: "eq", key: "a", value: 1 }, { type: "nin", key: "filename", value: ["rome.md"] }] },
  }));
  assert.equal(more[0].filename, "oslo.txt");
  await refused(400, () => stores.search(storeId, { query: "a", max_num_results: 51 }));
}

async function walkModels() {
  assert.ok((await everything(models.list())).some((model) => model.id === "extractive"));
  assert.equal((await models.retrieve("extractive")).object, "model");
  await refused(405, () => models.delete("none"));
}

// Every public method of a resource; those that begin with an underscore are the client's own.
function methods(resource, path) {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(resource));
  return names.filter((name) => name !== "constructor" && !name.startsWith("_")).map((name) => `${path}.${name}`);
}

await walkFiles();
await walkUploads();
await walkStores();
await walkStoreFiles();
await walkSearch(await walkBatches());
await walkModels();
const all = [
  [client.files, "files"], [client.uploads, "uploads"], [client.uploads.parts, "uploads.parts"],
  [client.vectorStores, "vectorStores"], [client.vectorStores.files, "vectorStores.files"],
  [client.vectorStores.fileBatches, "vectorStores.fileBatches"], [client.models, "models"],
].flatMap(([resource, path]) => methods(resource, path));
assert.deepEqual([...called].sort(), all.sort());
console.log(`openai ${VERSION} for Node ${process.version}: ${called.size} methods`);
