"""LangChain's clients of OpenAI and of Anthropic, unmodified, each with an upstream of the other dialect. Run by tests/sdk.rs."""

import asyncio
import os
import sys
import unittest

import pydantic
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from matrix import DATA, UPSTREAMS, URL

# Whatever the machine says.
os.environ |= {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}


def stay(event, arguments):
    """Nothing here may reach beyond loopback: no tracing, no vocabulary of a tokenizer."""
    if event == "socket.connect":
        assert arguments[1][0] in ("127.0.0.1", "::1"), arguments
    elif event == "socket.getaddrinfo":
        assert arguments[0] in ("127.0.0.1", "localhost", None), arguments


sys.addaudithook(stay)


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"sunny in {city}"


class Place(pydantic.BaseModel):
    """A place."""

    city: str
    score: int


def openai(upstream, **more):
    headers = {"x-wayside-feature": upstream}
    return ChatOpenAI(
        model="gpt-5.4", base_url=URL + "/v1", api_key="sk-caller", default_headers=headers, max_retries=0, **more
    )


def anthropic(upstream):
    headers = {"x-wayside-feature": upstream}
    return ChatAnthropic(
        model="claude-sonnet-5",
        base_url=URL,
        api_key="sk-ant-api03-caller",
        default_headers=headers,
        max_retries=0,
        max_tokens=512,
    )


# Name, model, and the upstream that answers.
MODELS = [
    ("ChatOpenAI", openai("messages", stream_usage=True), "messages"),
    ("ChatOpenAI, Responses", openai("messages", use_responses_api=True), "messages"),
    ("ChatAnthropic", anthropic("chat"), "chat"),
]


class Crossing(unittest.TestCase):
    def test_a_stream_says_the_same_as_the_whole_answer(self):
        for name, model, upstream in MODELS:
            with self.subTest(name):
                whole = model.invoke(DATA["say"])
                chunks = list(model.stream(DATA["say"]))
                streamed = sum(chunks[1:], chunks[0])
                self.assertTrue(whole.text)
                self.assertEqual(streamed.text, whole.text)
                self.assertGreater(len(chunks), 2)
                self.assertGreater(whole.usage_metadata["output_tokens"], 0)
                self.assertEqual(streamed.usage_metadata["total_tokens"], whole.usage_metadata["total_tokens"])
                self.assertEqual(whole.response_metadata["model_name"], UPSTREAMS[upstream].split("/")[1])

    def test_a_tool_is_called_and_its_result_taken(self):
        history = [HumanMessage("Please get_weather.")]
        for name, model, _ in MODELS:
            able = model.bind_tools([get_weather])
            chunks = list(able.stream(history))
            for way, answer in [("whole", able.invoke(history)), ("streamed", sum(chunks[1:], chunks[0]))]:
                with self.subTest(name, way=way):
                    (call,) = answer.tool_calls
                    self.assertEqual(call["name"], "get_weather")
                    result = get_weather.invoke(call)
                    self.assertIsInstance(result, ToolMessage)
                    self.assertTrue(able.invoke([*history, answer, result]).text)

    def test_structured_output_is_parsed(self):
        for name, model, _ in MODELS:
            with self.subTest(name):
                shaped = model.with_structured_output(Place, method="json_schema")
                self.assertIsInstance(shaped.invoke(DATA["say"]), Place)

    def test_the_asynchronous_calls_say_the_same(self):
        async def run():
            for name, model, _ in MODELS:
                whole = await model.ainvoke(DATA["say"])
                pieces = [chunk.text async for chunk in model.astream(DATA["say"])]
                with self.subTest(name):
                    self.assertTrue(whole.text)
                    self.assertEqual("".join(pieces), whole.text)

        # One loop: the clients keep their connections, and those belong to it.
        asyncio.run(run())


if __name__ == "__main__":
    unittest.main(verbosity=2)
