// The official Google Gen AI SDK for Node.js, unmodified, with every upstream. Run by tests/sdk.rs.

import assert from "node:assert/strict";

import { data, run } from "./matrix.mjs";
import { load } from "./packages.mjs";

const { GoogleGenAI, ApiError, FinishReason } = await load("@google/genai");

const client = (upstream, retries) =>
  new GoogleGenAI({
    apiKey: "caller",
    httpOptions: {
      baseUrl: process.env.WAYSIDE_URL,
      headers: { "x-wayside-feature": upstream },
      ...(retries && { retryOptions: { attempts: 1 + retries, initialDelay: 0.01, maxDelay: 0.01 } }),
    },
  });

const gemini = {
  name: "gemini",
  // It reads no header of an answer: it repeats what was not to be repeated, and only where it was told to repeat at all.
  askedWhenToldNotTo: 3,
  classes: { 400: ApiError, 503: ApiError },
  cut: Error,
  user: (text) => ({ role: "user", parts: [{ text }] }),
  request: ({ history, cap, tools = [], body }) => ({
    model: "gemini-3.8-flash",
    contents: history,
    config: {
      maxOutputTokens: cap,
      ...(tools.length && {
        tools: [
          {
            functionDeclarations: tools.map(({ name, description, schema }) => ({
              name,
              description,
              parametersJsonSchema: schema,
            })),
          },
        ],
      }),
      ...(body && { httpOptions: { extraBody: body } }),
    },
  }),
  said(chunks) {
    const parts = chunks.flatMap((chunk) => chunk.candidates[0].content?.parts ?? []);
    const calls = parts.filter((part) => part.functionCall).map((part) => part.functionCall);
    const { responseId, modelVersion, usageMetadata: usage, candidates } = chunks.at(-1);
    assert.equal(usage.totalTokenCount, usage.promptTokenCount + usage.candidatesTokenCount);
    const finished = calls.length ? "tools" : "stop";
    return {
      id: responseId,
      model: modelVersion,
      text: parts.map((part) => part.text ?? "").join(""),
      calls: calls.map(({ name, args }) => [name, args]),
      finish: { [FinishReason.STOP]: finished, [FinishReason.MAX_TOKENS]: "length" }[candidates[0].finishReason],
      usage: [usage.promptTokenCount, usage.candidatesTokenCount],
      raw: parts,
    };
  },
  whole: async (upstream, asked, { retries } = {}) =>
    gemini.said([await client(upstream, retries).models.generateContent(gemini.request(asked))]),
  async streamed(upstream, asked) {
    const chunks = [];
    for await (const chunk of await client(upstream).models.generateContentStream(gemini.request(asked))) chunks.push(chunk);
    return gemini.said(chunks);
  },
  answered(history, { raw }) {
    const results = raw
      .filter((part) => part.functionCall)
      .map(({ functionCall: { id, name } }) => ({
        functionResponse: { id, name, response: { result: data.results[name] } },
      }));
    return [...history, { role: "model", parts: raw }, { role: "user", parts: results }];
  },
  async parsed(upstream, asked) {
    const request = gemini.request(asked);
    Object.assign(request.config, { responseMimeType: "application/json", responseJsonSchema: data.place });
    const { models } = client(upstream);
    let text = "";
    for await (const chunk of await models.generateContentStream(request)) text += chunk.text ?? "";
    const texts = [(await models.generateContent(request)).text, text];
    return texts.map((text) => [JSON.parse(text), [{ role: "model", parts: [{ text }] }]]);
  },
  // The SDK has only the status and the text of the body.
  told(error) {
    const { details } = JSON.parse(error.message).error;
    const { reason, metadata } = details?.[0] ?? {};
    return { status: error.status, code: reason?.toLowerCase(), ...(metadata && { field: metadata.field }) };
  },
};

run(gemini);
