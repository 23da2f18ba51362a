"""The official Anthropic SDK for Python, unmodified, with every upstream. Run by tests/sdk.rs."""

import asyncio
import functools
import unittest

import anthropic

import matrix
from matrix import DATA, TOOLS, Asked, Matrix, Place, Said, Told

MODEL = "claude-sonnet-5"


# Making one reads all certificates of the machine.
@functools.cache
def client(upstream, retries=0):
    return fresh(anthropic.Anthropic, upstream, retries)


def fresh(kind, upstream, retries=0):
    headers = {"x-wayside-feature": upstream}
    return kind(base_url=matrix.URL, api_key="sk-ant-api03-caller", default_headers=headers, max_retries=retries)


class Messages(Matrix, unittest.TestCase):
    caller = "messages"
    classes = {
        400: anthropic.BadRequestError,
        503: anthropic.InternalServerError,
        529: anthropic.InternalServerError,
    }
    cut = anthropic.APIStatusError

    def user(self, text):
        return {"role": "user", "content": text}

    def request(self, asked):
        tools = [
            {"name": tool["name"], "description": tool["description"], "input_schema": tool["schema"]} for tool in TOOLS
        ]
        return {
            "model": MODEL,
            "max_tokens": asked.cap,
            "messages": asked.history,
            "extra_body": asked.body,
            **({"tools": tools} if asked.tools else {}),
        }

    def said(self, answer):
        calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
        text = "".join(block.text for block in answer.content if block.type == "text")
        finish = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tools"}[answer.stop_reason]
        tokens = (answer.usage.input_tokens, answer.usage.output_tokens)
        return Said(answer.id, answer.model, text, calls, finish, tokens, answer.content)

    def whole(self, upstream, asked, retries=0):
        return self.said(client(upstream, retries).messages.create(**self.request(asked)))

    def streamed(self, upstream, asked):
        with client(upstream).messages.stream(**self.request(asked)) as stream:
            return self.said(stream.get_final_message())

    def answered(self, asked, said):
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": DATA["results"][block.name]}
            for block in said.raw
            if block.type == "tool_use"
        ]
        turns = [{"role": "assistant", "content": said.raw}, {"role": "user", "content": results}]
        return Asked([*asked.history, *turns], tools=True)

    def parsed(self, upstream):
        request = {"model": MODEL, "max_tokens": 512, "messages": self.say().history, "output_format": Place}
        messages = client(upstream).messages
        whole = messages.parse(**request)
        yield "whole", whole.parsed_output, [{"role": "assistant", "content": whole.content}]
        with messages.stream(**request) as stream:
            streamed = stream.get_final_message()
        yield "streamed", streamed.parsed_output, [{"role": "assistant", "content": streamed.content}]

    async def many(self, upstream, asked):
        async with fresh(anthropic.AsyncAnthropic, upstream) as asynchronous:
            calls = [asynchronous.messages.create(**self.request(asked)) for _ in range(matrix.MANY)]
            answers = [self.said(answer) for answer in await asyncio.gather(*calls)]
            async with asynchronous.messages.stream(**self.request(asked)) as stream:
                return answers, await stream.get_final_text()

    def told(self, error):
        assert error.request_id, error
        details = error.body["error"].get("details") or {}
        return Told(error.status_code, error.error_code, error.api_message, details.get("param"))


if __name__ == "__main__":
    matrix.main()
