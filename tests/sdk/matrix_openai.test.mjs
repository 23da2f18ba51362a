// The official OpenAI SDK for Node.js, unmodified, with every upstream: Chat Completions and Responses. Run by tests/sdk.rs.

import assert from "node:assert/strict";

import { data, run } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { default: OpenAI } = await load("openai");

const client = (upstream, retries = 0) =>
  new OpenAI({
    baseURL: process.env.WAYSIDE_URL + "/v1",
    apiKey: "sk-caller",
    maxRetries: retries,
    defaultHeaders: { "x-wayside-feature": upstream },
  });
const model = "gpt-5.4";
const common = {
  user: (content) => ({ role: "user", content }),
  classes: { 400: OpenAI.BadRequestError, 503: OpenAI.InternalServerError },
  cut: OpenAI.APIError,
  told(error) {
    assert.ok(error.requestID);
    return { status: error.status, code: error.code, ...(error.param && { field: error.param }) };
  },
};

const chat = {
  ...common,
  name: "chat",
  request: ({ history, cap, tools = [], body }) => ({
    model,
    messages: history,
    max_completion_tokens: cap,
    ...(tools.length && {
      tools: tools.map(({ name, description, schema }) => ({
        type: "function",
        function: { name, description, parameters: schema, strict: true },
      })),
    }),
    ...body,
  }),
  said({ id, model, choices: [{ message, finish_reason }], usage }) {
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    return {
      id,
      model,
      text: message.content ?? "",
      calls: (message.tool_calls ?? []).map((call) => [call.function.name, JSON.parse(call.function.arguments)]),
      finish: { stop: "stop", length: "length", tool_calls: "tools" }[finish_reason],
      usage: [usage.prompt_tokens, usage.completion_tokens],
      raw: message,
    };
  },
  whole: async (upstream, asked, { retries } = {}) =>
    chat.said(await client(upstream, retries).chat.completions.create(chat.request(asked))),
  async streamed(upstream, asked) {
    const request = { ...chat.request(asked), stream_options: { include_usage: true } };
    return chat.said(await client(upstream).chat.completions.stream(request).finalChatCompletion());
  },
  answered: (history, { raw }) => [
    ...history,
    raw,
    ...raw.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: data.results[call.function.name] })),
  ],
  async parsed(upstream, asked) {
    const response_format = { type: "json_schema", json_schema: { name: "place", schema: data.place, strict: true } };
    const request = { ...chat.request(asked), response_format };
    const { completions } = client(upstream).chat;
    const answers = [await completions.parse(request), await completions.stream(request).finalChatCompletion()];
    return answers.map(({ choices: [{ message }] }) => [JSON.parse(message.content), [message]]);
  },
};

const responses = {
  ...common,
  name: "responses",
  request: ({ history, cap, tools = [], body }) => ({
    model,
    input: history,
    max_output_tokens: cap,
    ...(tools.length && {
      tools: tools.map(({ name, description, schema }) => ({
        type: "function",
        name,
        description,
        parameters: schema,
        strict: true,
      })),
    }),
    ...body,
  }),
  said({ id, model, output, output_text, incomplete_details, usage }) {
    assert.equal(usage.total_tokens, usage.input_tokens + usage.output_tokens);
    const calls = output.filter((item) => item.type === "function_call");
    const finished = calls.length ? "tools" : "stop";
    return {
      id,
      model,
      text: output_text,
      calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]),
      finish: incomplete_details ? { max_output_tokens: "length" }[incomplete_details.reason] : finished,
      usage: [usage.input_tokens, usage.output_tokens],
      raw: output,
    };
  },
  whole: async (upstream, asked, { retries } = {}) =>
    responses.said(await client(upstream, retries).responses.create(responses.request(asked))),
  streamed: async (upstream, asked) =>
    responses.said(await client(upstream).responses.stream(responses.request(asked)).finalResponse()),
  answered: (history, { raw }) => [
    ...history,
    ...raw,
    ...raw
      .filter((item) => item.type === "function_call")
      .map(({ call_id, name }) => ({ type: "function_call_output", call_id, output: data.results[name] })),
  ],
  async parsed(upstream, asked) {
    const text = { format: { type: "json_schema", name: "place", schema: data.place, strict: true } };
    const request = { ...responses.request(asked), text };
    const api = client(upstream).responses;
    const answers = [await api.parse(request), await api.stream(request).finalResponse()];
    return answers.map(({ output, output_text }) => [JSON.parse(output_text), output]);
  },
};

run(chat);
run(responses);
