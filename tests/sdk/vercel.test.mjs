// The Vercel AI SDK, unmodified, with its providers of OpenAI and of Anthropic, each with an upstream of the other dialect. Run by
// tests/sdk.rs.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";

import { data } from "./matrix.mjs";
import { load } from "./packages.mjs";

// Nothing here may reach beyond loopback.
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...given) {
  const [to] = given.flat();
  assert.ok(["127.0.0.1", "localhost"].includes(to.host), JSON.stringify(to));
  return connect.apply(this, given);
};

const { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");

const openai = createOpenAI({
  baseURL: process.env.WAYSIDE_URL + "/v1",
  apiKey: "sk-caller",
  headers: { "x-wayside-feature": "messages" },
});
const anthropic = createAnthropic({
  baseURL: process.env.WAYSIDE_URL + "/v1",
  apiKey: "sk-ant-api03-caller",
  headers: { "x-wayside-feature": "chat" },
});
const models = {
  "openai, Responses": [openai("gpt-5.4"), "messages"],
  "openai, Chat Completions": [openai.chat("gpt-5.4"), "messages"],
  anthropic: [anthropic("claude-sonnet-5"), "chat"],
};
const schema = jsonSchema(data.place);
const get_weather = tool({
  description: "Weather of a city",
  inputSchema: jsonSchema(data.tools[0].schema),
  execute: async ({ city }) => `sunny in ${city}`,
});

for (const [name, [model, upstream]] of Object.entries(models)) {
  const ask = { model, maxRetries: 0, maxOutputTokens: 512 };

  test(`${name}: a stream says the same as the whole answer`, async () => {
    const whole = await generateText({ ...ask, prompt: data.say });
    assert.ok(whole.text && whole.usage.totalTokens > 0);
    assert.equal(whole.finishReason, "stop");
    assert.equal(whole.response.modelId, data.upstreams[upstream].split("/")[1]);
    const stream = streamText({ ...ask, prompt: data.say });
    let text = "";
    for await (const piece of stream.textStream) text += piece;
    assert.equal(text, whole.text);
    assert.equal((await stream.usage).totalTokens, whole.usage.totalTokens);
  });

  test(`${name}: a tool is called, and what it says is taken`, async () => {
    const calling = { ...ask, prompt: "Please get_weather.", tools: { get_weather }, stopWhen: stepCountIs(2) };
    const stream = streamText(calling);
    await stream.consumeStream();
    for (const { steps, text } of [await generateText(calling), { steps: await stream.steps, text: await stream.text }]) {
      assert.equal(steps.length, 2);
      assert.equal(steps[0].toolCalls[0].toolName, "get_weather");
      assert.match(steps[0].toolResults[0].output, /^sunny in /);
      assert.ok(text);
    }
  });

  test(`${name}: an object has the shape that was demanded`, async () => {
    const { object } = await generateObject({ ...ask, prompt: data.say, schema });
    assert.deepEqual([typeof object.city, typeof object.score], ["string", "number"]);
  });
}
