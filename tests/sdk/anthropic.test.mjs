// The official Anthropic SDK for Node.js, unmodified, against the sidecar. Run by tests/sdk.rs.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

// The package is installed outside the source tree.
const resolved = createRequire(process.env.SDK_PACKAGES + "/").resolve("@anthropic-ai/sdk");
const { default: Anthropic } = await import(pathToFileURL(resolved).href);

const snapshots = { native: "anthropic/claude-sonnet-5", crossed: "openai/gpt-5.4-2026-03-05" };
const messages = [{ role: "user", content: "Say something short." }];
const both = [{ role: "user", content: "Please get_weather and get_time." }];
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [
  { name: "get_weather", input_schema: schema },
  { name: "get_time", input_schema: schema },
];

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

  test(`${feature}: a stream says the same as the whole answer`, async () => {
    const [whole, streamed] = [await ask(feature), await stream(feature)];
    assert.deepEqual(
      streamed.content.map((block) => block.text),
      whole.content.map((block) => block.text),
    );
    assert.equal(streamed.stop_reason, "end_turn");
    assert.equal(streamed.usage.output_tokens, whole.usage.output_tokens);
  });

  test(`${feature}: tools are called, whole and in fragments, and answered`, async () => {
    const whole = await ask(feature, { messages: both, tools });
    const streamed = await stream(feature, { messages: both, tools });
    const told = (answer) => answer.content.map((block) => [block.name, block.input]);
    assert.deepEqual(told(streamed), told(whole));
    assert.deepEqual(
      whole.content.map((block) => block.name),
      ["get_weather", "get_time"],
    );
    const results = whole.content.map((block) => ({ type: "tool_result", tool_use_id: block.id, content: "sunny" }));
    const history = [...both, { role: "assistant", content: whole.content }, { role: "user", content: results }];
    assert.ok((await ask(feature, { messages: history, tools })).content[0].text);
  });

  test(`${feature}: an answer has the shape of its schema`, async () => {
    const output_config = { format: { type: "json_schema", schema } };
    const answer = await ask(feature, { output_config });
    assert.equal(typeof JSON.parse(answer.content[0].text).city, "string");
  });

  test(`${feature}: tokens are counted`, async () => {
    const count = await client(feature).messages.countTokens({ model: "claude-sonnet-5", messages });
    assert.ok(count.input_tokens > 0);
  });
}

for (const [status, exception] of [
  [400, Anthropic.BadRequestError],
  [401, Anthropic.AuthenticationError],
  [403, Anthropic.PermissionDeniedError],
  [404, Anthropic.NotFoundError],
  [409, Anthropic.ConflictError],
  [422, Anthropic.UnprocessableEntityError],
  [429, Anthropic.RateLimitError],
]) {
  test(`a refusal with ${status} raises its exception`, async () => {
    await assert.rejects(ask(`refuse_${status}`), (error) => error instanceof exception && /refused by policy/.test(error.message));
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
