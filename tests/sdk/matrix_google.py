"""The official Google Gen AI SDK for Python, unmodified, with every upstream. Run by tests/sdk.rs."""

import asyncio
import functools
import unittest

from google import genai
from google.genai import errors, types

import matrix
from matrix import DATA, TOOLS, Asked, Matrix, Place, Said, Told

MODEL = "gemini-3.8-flash"
DECLARED = [
    types.FunctionDeclaration(name=tool["name"], description=tool["description"], parameters_json_schema=tool["schema"])
    for tool in TOOLS
]


# The SDK closes a client's connections when nobody holds the client any more.
@functools.cache
def client(upstream, retries=0):
    repeating = types.HttpRetryOptions(attempts=1 + retries, initial_delay=0.01, max_delay=0.01) if retries else None
    headers = {"x-wayside-feature": upstream}
    options = types.HttpOptions(base_url=matrix.URL, headers=headers, retry_options=repeating)
    return genai.Client(api_key="caller", http_options=options)


class GenerateContent(Matrix, unittest.TestCase):
    caller = "gemini"
    # It reads no header of an answer: it repeats what was not to be repeated, and only where it was told to repeat at all.
    asked_when_told_not_to = 3
    classes = {400: errors.ClientError, 503: errors.ServerError}
    cut = errors.ServerError

    def user(self, text):
        return types.Content(role="user", parts=[types.Part(text=text)])

    def request(self, asked):
        config = types.GenerateContentConfig(
            max_output_tokens=asked.cap,
            tools=[types.Tool(function_declarations=DECLARED)] if asked.tools else None,
            http_options=types.HttpOptions(extra_body=asked.body) if asked.body else None,
        )
        return {"model": MODEL, "contents": asked.history, "config": config}

    def said(self, *chunks):
        parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
        last = chunks[-1]
        usage, reason = last.usage_metadata, last.candidates[0].finish_reason
        calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
        finish = {types.FinishReason.STOP: "tools" if calls else "stop", types.FinishReason.MAX_TOKENS: "length"}[
            reason
        ]
        assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
        tokens = (usage.prompt_token_count, usage.candidates_token_count)
        text = "".join(part.text or "" for part in parts)
        return Said(
            last.response_id, last.model_version, text, calls, finish, tokens, types.Content(role="model", parts=parts)
        )

    def whole(self, upstream, asked, retries=0):
        return self.said(client(upstream, retries).models.generate_content(**self.request(asked)))

    def streamed(self, upstream, asked):
        return self.said(*client(upstream).models.generate_content_stream(**self.request(asked)))

    def answered(self, asked, said):
        calls = [part.function_call for part in said.raw.parts if part.function_call]
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=call.id, name=call.name, response={"result": DATA["results"][call.name]}
                )
            )
            for call in calls
        ]
        return Asked([*asked.history, said.raw, types.Content(role="user", parts=results)], tools=True)

    def parsed(self, upstream):
        models = client(upstream).models
        for name, shape in [("response_schema", Place), ("response_json_schema", DATA["place"])]:
            config = types.GenerateContentConfig(response_mime_type="application/json", **{name: shape})
            request = {"model": MODEL, "contents": self.say().history, "config": config}
            whole = models.generate_content(**request)
            yield name, Place.model_validate(whole.parsed, from_attributes=True), [whole.candidates[0].content]
            text = "".join(chunk.text or "" for chunk in models.generate_content_stream(**request))
            yield name, Place.model_validate_json(text), [types.Content(role="model", parts=[types.Part(text=text)])]

    async def many(self, upstream, asked):
        models = client(upstream).aio.models
        calls = [models.generate_content(**self.request(asked)) for _ in range(matrix.MANY)]
        answers = [self.said(answer) for answer in await asyncio.gather(*calls)]
        chunks = [chunk async for chunk in await models.generate_content_stream(**self.request(asked))]
        return answers, self.said(*chunks).text

    def told(self, error):
        details = (error.details["error"].get("details") or [{}])[0]
        return Told(
            error.code, details.get("reason", "").lower(), error.message, details.get("metadata", {}).get("field")
        )


if __name__ == "__main__":
    matrix.main()
