// The official OpenAI SDK for Node.js, unmodified, against the sidecar. Run by tests/sdk.rs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { data } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: OpenAI } = await load("openai");

const primary = "openai/gpt-5.4-2026-03-05";
const messages = [{ role: "user", content: "Say something short." }];
const tools = [
  {
    type: "function",
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

const client = (feature = "chat", options = {}) =>
  new OpenAI({
    baseURL: process.env.WAYSIDE_URL + "/v1",
    apiKey: "sk-caller",
    maxRetries: 0,
    defaultHeaders: { "x-wayside-feature": feature },
    ...options,
  });
const ask = (feature, options = {}) => client(feature).chat.completions.create({ model: "gpt-5.4", messages, ...options });

async function text(stream) {
  let whole = "";
  for await (const chunk of stream) whole += chunk.choices[0]?.delta?.content ?? "";
  return whole;
}

test("a chat is answered by the pinned snapshot", async () => {
  const { data, response } = await ask().withResponse();
  assert.equal(response.headers.get("x-wayside-snapshot"), primary);
  assert.equal(response.headers.get("x-wayside-hop"), "1");
  assert.equal(data.model, "gpt-5.4-2026-03-05");
  assert.ok(data.choices[0].message.content);
});

test("tools pass through, whole and in fragments", async () => {
  const choice = { tools, tool_choice: { type: "function", function: { name: "get_weather" } } };
  const whole = await ask("chat", choice);
  assert.ok(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments).city);
  let fragments = "";
  for await (const chunk of await ask("chat", { ...choice, stream: true })) {
    fragments += chunk.choices[0]?.delta?.tool_calls?.[0]?.function?.arguments ?? "";
  }
  assert.ok(JSON.parse(fragments).city);
});

test("a failing provider is replaced", async () => {
  const { data, response } = await ask("fallback").withResponse();
  assert.equal(response.headers.get("x-wayside-hop"), "2");
  assert.equal(await text(await ask("fallback", { stream: true })), data.choices[0].message.content);
});

test("the degraded answer is an ordinary one", async () => {
  const answer = await ask("degraded");
  assert.equal(answer.choices[0].message.content, "Please try again in a few minutes.");
  assert.equal(await text(await ask("degraded", { stream: true })), "Please try again in a few minutes.");
});

for (const [status, name] of Object.entries(data.statuses)) {
  test(`a refusal with ${status} raises its exception`, async () => {
    await assert.rejects(
      ask(`refuse_${status}`),
      (error) => error instanceof OpenAI[name] && /refused by policy/.test(error.message),
    );
  });
}

test("an exhausted chain is an internal server error and is not retried", async () => {
  const call = client("down", { maxRetries: 2 }).chat.completions.create({ model: "gpt-5.4", messages });
  await assert.rejects(call, (error) => error instanceof OpenAI.InternalServerError && error.status === 503);
});

test("a cut stream raises", async () => {
  await assert.rejects(async () => text(await ask("cut", { stream: true })));
});

test("a timeout of the caller is a timeout", async () => {
  const call = client("slow", { timeout: 400 }).chat.completions.create({ model: "gpt-5.4", messages });
  await assert.rejects(call, OpenAI.APIConnectionTimeoutError);
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of client().models.list()) ids.push(model.id);
  assert.ok(ids.includes(primary), ids.join());
});
