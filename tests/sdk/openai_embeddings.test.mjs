// Embeddings with the official OpenAI SDK for Node.js, unmodified, against the sidecar. Run by tests/sdk.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./packages.mjs";

const { default: OpenAI } = await load("openai");

const model = "text-embedding-3-small";
const client = new OpenAI({ baseURL: process.env.WAYSIDE_URL + "/v1", apiKey: "sk-caller", maxRetries: 0 });

test("base64, which the SDK asks for, says the same as floats", async () => {
  const usual = await client.embeddings.create({ model, input: ["a", "b"] });
  const floats = await client.embeddings.create({ model, input: ["a", "b"], encoding_format: "float" });
  usual.data.forEach((one, at) =>
    one.embedding.forEach((number, place) => assert.ok(Math.abs(number - floats.data[at].embedding[place]) < 1e-6)),
  );
  assert.ok(usual.usage.prompt_tokens > 0);
});

test("what is missing is named", async () => {
  await assert.rejects(client.embeddings.create({ model, input: [] }), (error) => error.param === "input");
});
