// A sidecar that has no place left says so, and the official SDKs for Node.js come again by themselves. Run by tests/sdk.rs, with room
// for one request.

import assert from "node:assert/strict";
import { test } from "node:test";

import { simulator } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: OpenAI } = await load("openai");
const { default: Anthropic } = await load("@anthropic-ai/sdk");

const messages = [{ role: "user", content: "Say something short." }];
const sdks = [
  [
    "openai",
    OpenAI,
    (maxRetries) =>
      new OpenAI({ baseURL: process.env.WAYSIDE_URL + "/v1", apiKey: "sk-caller", maxRetries }).chat.completions.create({
        model: "gpt-5.4",
        messages,
      }),
  ],
  [
    "anthropic",
    Anthropic,
    (maxRetries) =>
      new Anthropic({ baseURL: process.env.WAYSIDE_URL, apiKey: "sk-ant-api03-caller", maxRetries }).messages.create({
        model: "claude-sonnet-5",
        max_tokens: 64,
        messages,
      }),
  ],
];

for (const [name, sdk, ask] of sdks) {
  test(`${name}: who finds no place is told to come again, and does`, async () => {
    await simulator("PUT", "faults", [{ fault: "slow-head=600ms", first: 1 }]);
    const first = ask(0);
    while ((await simulator("GET", "seen")).in_flight === 0) await new Promise((soon) => setTimeout(soon, 10));
    await assert.rejects(
      ask(0),
      (error) => error instanceof sdk.InternalServerError && error.status === 503 && error.headers.get("x-should-retry") === "true",
    );
    assert.ok((await ask(2)).id);
    assert.ok((await first).id);
  });
}
