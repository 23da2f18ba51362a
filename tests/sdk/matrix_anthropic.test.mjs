// The official Anthropic SDK for Node.js, unmodified, with every upstream. Run by tests/sdk.rs.

import assert from "node:assert/strict";

import { data, run } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: Anthropic } = await load("@anthropic-ai/sdk");

const client = (upstream, retries = 0) =>
  new Anthropic({
    baseURL: process.env.WAYSIDE_URL,
    apiKey: "sk-ant-api03-caller",
    maxRetries: retries,
    defaultHeaders: { "x-wayside-feature": upstream },
  });

const messages = {
  name: "messages",
  classes: { 400: Anthropic.BadRequestError, 503: Anthropic.InternalServerError, 529: Anthropic.InternalServerError },
  cut: Anthropic.APIError,
  user: (content) => ({ role: "user", content }),
  request: ({ history, cap, tools = [], body }) => ({
    model: "claude-sonnet-5",
    max_tokens: cap,
    messages: history,
    ...(tools.length && {
      tools: tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
    }),
    ...body,
  }),
  said({ id, model, content, stop_reason, usage }) {
    const of = (type) => content.filter((block) => block.type === type);
    return {
      id,
      model,
      text: of("text")
        .map((block) => block.text)
        .join(""),
      calls: of("tool_use").map((block) => [block.name, block.input]),
      finish: { end_turn: "stop", max_tokens: "length", tool_use: "tools" }[stop_reason],
      usage: [usage.input_tokens, usage.output_tokens],
      raw: content,
    };
  },
  whole: async (upstream, asked, { retries } = {}) =>
    messages.said(await client(upstream, retries).messages.create(messages.request(asked))),
  streamed: async (upstream, asked) =>
    messages.said(await client(upstream).messages.stream(messages.request(asked)).finalMessage()),
  answered(history, { raw }) {
    const results = raw
      .filter((block) => block.type === "tool_use")
      .map(({ id, name }) => ({ type: "tool_result", tool_use_id: id, content: data.results[name] }));
    return [...history, { role: "assistant", content: raw }, { role: "user", content: results }];
  },
  async parsed(upstream, asked) {
    const request = { ...messages.request(asked), output_config: { format: { type: "json_schema", schema: data.place } } };
    const api = client(upstream).messages;
    const answers = [await api.parse(request), await api.stream(request).finalMessage()];
    return answers.map(({ role, content }) => [JSON.parse(content[0].text), [{ role, content }]]);
  },
  told(error) {
    assert.ok(error.requestID);
    const { error_code: code, param } = error.error.error.details ?? {};
    return { status: error.status, code, ...(param && { field: param }) };
  },
};

run(messages);
