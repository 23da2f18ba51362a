// The Responses API of the official OpenAI SDK for Node.js, unmodified, against the sidecar. Run by tests/sdk.rs, once with a
// provider that speaks it and once with one that speaks Chat Completions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { data } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: OpenAI } = await load("openai");

const input = "Say something short.";
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const calling = {
  tools: [{ type: "function", name: "get_weather", parameters, strict: true }],
  tool_choice: { type: "function", name: "get_weather" },
};
const sorry = "Please try again in a few minutes.";

const client = (feature = "chat") =>
  new OpenAI({
    baseURL: process.env.WAYSIDE_URL + "/v1",
    apiKey: "sk-caller",
    maxRetries: 0,
    defaultHeaders: { "x-wayside-feature": feature },
  });
const ask = (feature, options = {}) => client(feature).responses.create({ model: "gpt-5.4", input, ...options });

async function events(stream) {
  const all = [];
  for await (const event of stream) all.push(event);
  return all;
}

const joined = (all, type) =>
  all
    .filter((event) => event.type === type)
    .map((event) => event.delta)
    .join("");

test("a stream says the same as the whole answer", async () => {
  const { data, response } = await ask().withResponse();
  assert.equal(response.headers.get("x-wayside-snapshot"), "openai/gpt-5.4-2026-03-05");
  assert.equal(data.status, "completed");
  assert.ok(data.output_text && data.usage.total_tokens > 0);
  const all = await events(await ask("chat", { stream: true }));
  assert.deepEqual(
    all.map((event) => event.sequence_number),
    all.map((_, number) => number),
  );
  assert.equal(joined(all, "response.output_text.delta"), data.output_text);
  assert.deepEqual(all.at(-1).response.usage, data.usage);
});

test("the stream helper has the final response", async () => {
  const stream = client().responses.stream({ model: "gpt-5.4", input });
  let text = "";
  stream.on("response.output_text.delta", (event) => (text += event.delta));
  assert.equal((await stream.finalResponse()).output_text, text);
});

test("functions are called, whole and in fragments, and their results sent back", async () => {
  const whole = await ask("chat", calling);
  const call = whole.output.at(-1);
  assert.ok(JSON.parse(call.arguments).city);
  const all = await events(await ask("chat", { ...calling, stream: true }));
  assert.equal(joined(all, "response.function_call_arguments.delta"), call.arguments);
  const result = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
  const history = [{ role: "user", content: input }, ...whole.output, result];
  assert.ok((await ask("chat", { tools: calling.tools, input: history })).output_text);
});

test("a failing provider is replaced", async () => {
  const { data, response } = await ask("fallback").withResponse();
  assert.equal(response.headers.get("x-wayside-hop"), "2");
  const all = await events(await ask("fallback", { stream: true }));
  assert.equal(joined(all, "response.output_text.delta"), data.output_text);
});

test("the degraded answer is an ordinary one", async () => {
  assert.equal((await ask("degraded")).output_text, sorry);
  const all = await events(await ask("degraded", { stream: true }));
  assert.equal(joined(all, "response.output_text.delta"), sorry);
});

for (const [status, name] of Object.entries(data.statuses)) {
  test(`a refusal with ${status} raises its exception`, async () => {
    await assert.rejects(
      ask(`refuse_${status}`),
      (error) => error instanceof OpenAI[name] && /refused by policy/.test(error.message),
    );
  });
}

test("an exhausted chain is an internal server error", async () => {
  await assert.rejects(ask("down"), (error) => error instanceof OpenAI.InternalServerError && error.status === 503);
});

test("what nobody can be told is named", async () => {
  const bound = ask("chat", { previous_response_id: "resp_1" });
  await assert.rejects(bound, (error) => error instanceof OpenAI.BadRequestError && error.param === "previous_response_id");
});

test("a cut stream raises", async () => {
  await assert.rejects(async () => events(await ask("cut", { stream: true })), OpenAI.APIError);
});
