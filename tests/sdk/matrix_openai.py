"""The official OpenAI SDK for Python, unmodified, with every upstream: Chat Completions and Responses. Run by tests/sdk.rs."""

import asyncio
import functools
import json
import unittest

import openai

import matrix
from matrix import DATA, TOOLS, Asked, Matrix, Place, Said, Told

CLASSES = {400: openai.BadRequestError, 503: openai.InternalServerError}


# Making one reads all certificates of the machine.
@functools.cache
def client(upstream, retries=0):
    return fresh(openai.OpenAI, upstream, retries)


def fresh(kind, upstream, retries=0):
    headers = {"x-wayside-feature": upstream}
    return kind(base_url=matrix.URL + "/v1", api_key="sk-caller", default_headers=headers, max_retries=retries)


def told(error):
    assert error.request_id, error
    return Told(error.status_code, error.code, error.message, error.param)


class Chat(Matrix, unittest.TestCase):
    caller = "chat"
    classes = CLASSES
    cut = openai.APIError

    def user(self, text):
        return {"role": "user", "content": text}

    def request(self, asked):
        functions = [
            {"name": tool["name"], "description": tool["description"], "parameters": tool["schema"], "strict": True}
            for tool in TOOLS
        ]
        tools = {"tools": [{"type": "function", "function": function} for function in functions]} if asked.tools else {}
        return {
            "model": "gpt-5.4",
            "messages": asked.history,
            "max_completion_tokens": asked.cap,
            "extra_body": asked.body,
            **tools,
        }

    def said(self, answer):
        choice, usage = answer.choices[0], answer.usage
        calls = [(call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls or []]
        finish = {"stop": "stop", "length": "length", "tool_calls": "tools"}[choice.finish_reason]
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        return Said(answer.id, answer.model, choice.message.content or "", calls, finish, tokens, choice.message)

    def whole(self, upstream, asked, retries=0):
        return self.said(client(upstream, retries).chat.completions.create(**self.request(asked)))

    def streamed(self, upstream, asked):
        usage = {"stream_options": {"include_usage": True}}
        with client(upstream).chat.completions.stream(**self.request(asked), **usage) as stream:
            try:
                return self.said(stream.get_final_completion())
            except openai.LengthFinishReasonError as cut:
                return self.said(cut.completion)

    def answered(self, asked, said):
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": DATA["results"][call.function.name]}
            for call in said.raw.tool_calls
        ]
        return Asked([*asked.history, said.raw, *results], tools=True)

    def parsed(self, upstream):
        request = {"model": "gpt-5.4", "messages": self.say().history, "response_format": Place}
        completions = client(upstream).chat.completions
        whole = completions.parse(**request).choices[0].message
        yield "whole", whole.parsed, [whole]
        with completions.stream(**request) as stream:
            streamed = stream.get_final_completion().choices[0].message
        yield "streamed", streamed.parsed, [streamed]

    async def many(self, upstream, asked):
        async with fresh(openai.AsyncOpenAI, upstream) as asynchronous:
            completions = asynchronous.chat.completions
            calls = [completions.create(**self.request(asked)) for _ in range(matrix.MANY)]
            answers = [self.said(answer) for answer in await asyncio.gather(*calls)]
            chunks = [chunk async for chunk in await completions.create(**self.request(asked), stream=True)]
            return answers, "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def told(self, error):
        return told(error)


class Responses(Matrix, unittest.TestCase):
    caller = "responses"
    classes = CLASSES
    cut = openai.APIError

    def user(self, text):
        return {"role": "user", "content": text}

    def request(self, asked):
        tools = [
            {
                "type": "function",
                "name": tool["name"],
                "description": tool["description"],
                "parameters": tool["schema"],
                "strict": True,
            }
            for tool in TOOLS
        ]
        return {
            "model": "gpt-5.4",
            "input": asked.history,
            "max_output_tokens": asked.cap,
            "extra_body": asked.body,
            **({"tools": tools} if asked.tools else {}),
        }

    def said(self, answer):
        usage = answer.usage
        calls = [(item.name, json.loads(item.arguments)) for item in answer.output if item.type == "function_call"]
        cut = answer.incomplete_details and answer.incomplete_details.reason
        finish = {None: "tools" if calls else "stop", "max_output_tokens": "length"}[cut]
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens
        tokens = (usage.input_tokens, usage.output_tokens)
        return Said(answer.id, answer.model, answer.output_text, calls, finish, tokens, answer.output)

    def whole(self, upstream, asked, retries=0):
        return self.said(client(upstream, retries).responses.create(**self.request(asked)))

    def streamed(self, upstream, asked):
        *events, last = client(upstream).responses.create(**self.request(asked), stream=True)
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == last.response.output_text
        return self.said(last.response)

    def answered(self, asked, said):
        results = [
            {"type": "function_call_output", "call_id": item.call_id, "output": DATA["results"][item.name]}
            for item in said.raw
            if item.type == "function_call"
        ]
        return Asked([*asked.history, *said.raw, *results], tools=True)

    def parsed(self, upstream):
        request = {"model": "gpt-5.4", "input": self.say().history, "text_format": Place}
        responses = client(upstream).responses
        whole = responses.parse(**request)
        yield "whole", whole.output_parsed, whole.output
        with responses.stream(**request) as stream:
            streamed = stream.get_final_response()
        yield "streamed", streamed.output_parsed, streamed.output

    async def many(self, upstream, asked):
        async with fresh(openai.AsyncOpenAI, upstream) as asynchronous:
            responses = asynchronous.responses
            calls = [responses.create(**self.request(asked)) for _ in range(matrix.MANY)]
            answers = [self.said(answer) for answer in await asyncio.gather(*calls)]
            events = [event async for event in await responses.create(**self.request(asked), stream=True)]
            return answers, "".join(event.delta for event in events if event.type == "response.output_text.delta")

    def told(self, error):
        return told(error)


if __name__ == "__main__":
    matrix.main()
