// The official Anthropic SDK for Node.js, unmodified, against the sidecar. Run by tests/sdk.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { data } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: Anthropic } = await load("@anthropic-ai/sdk");

const snapshots = { native: "anthropic/claude-sonnet-5", crossed: "openai/gpt-5.4-2026-03-05" };
const messages = [{ role: "user", content: "Say something short." }];

const client = (feature = "native", options = {}) =>
  new Anthropic({
    baseURL: process.env.WAYSIDE_URL,
    apiKey: "sk-ant-api03-caller",
    maxRetries: 0,
    defaultHeaders: { "x-wayside-feature": feature },
    ...options,
  });
const body = (options) => ({ model: "claude-sonnet-5", max_tokens: 512, messages, ...options });
const ask = (feature, options) => client(feature).messages.create(body(options));
const stream = (feature, options) => client(feature).messages.stream(body(options)).finalMessage();

for (const [feature, snapshot] of Object.entries(snapshots)) {
  test(`${feature}: a message is answered by the pinned snapshot`, async () => {
    const { data, response, request_id } = await ask(feature).withResponse();
    assert.equal(response.headers.get("x-wayside-snapshot"), snapshot);
    assert.ok(request_id);
    assert.equal(data.stop_reason, "end_turn");
    assert.equal(data.model, snapshot.split("/")[1]);
    assert.ok(data.content[0].text);
    assert.ok(data.usage.input_tokens > 0 && data.usage.output_tokens > 0);
  });

  test(`${feature}: tokens are counted`, async () => {
    const count = await client(feature).messages.countTokens({ model: "claude-sonnet-5", messages });
    assert.ok(count.input_tokens > 0);
  });
}

for (const [status, name] of Object.entries(data.statuses)) {
  test(`a refusal with ${status} raises its exception`, async () => {
    await assert.rejects(
      ask(`refuse_${status}`),
      (error) => error instanceof Anthropic[name] && /refused by policy/.test(error.message),
    );
  });
}

test("a failing provider is replaced by one of the other dialect", async () => {
  for (const [feature, model] of [
    ["native_fails", "gpt-5.4-2026-03-05"],
    ["crossed_fails", "claude-sonnet-5"],
  ]) {
    assert.equal((await ask(feature)).model, model);
    assert.equal((await stream(feature)).model, model);
  }
});

test("an exhausted chain is an internal server error and is not retried", async () => {
  const call = client("down", { maxRetries: 2 }).messages.create(body());
  await assert.rejects(call, (error) => error instanceof Anthropic.InternalServerError);
});

test("a refusal of the model is told", async () => {
  for (const feature of ["declines_native", "declines_crossed"]) {
    assert.equal((await ask(feature)).stop_reason, "refusal");
    assert.equal((await stream(feature)).stop_reason, "refusal");
  }
});

test("a cut stream raises", async () => {
  for (const feature of ["cut_native", "cut_crossed"]) {
    await assert.rejects(stream(feature), (error) => error instanceof Anthropic.APIError);
  }
});

test("a timeout of the caller is a timeout", async () => {
  const call = client("slow", { timeout: 400 }).messages.create(body());
  await assert.rejects(call, Anthropic.APIConnectionTimeoutError);
});
