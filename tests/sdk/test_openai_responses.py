"""The Responses API of the official OpenAI SDK for Python, unmodified, against the sidecar. Run by tests/sdk.rs, once with a
provider that speaks it and once with one that speaks Chat Completions."""

import functools
import json
import os
import unittest

import openai
import pydantic

from matrix import STATUSES

BASE_URL = os.environ["WAYSIDE_URL"] + "/v1"
PRIMARY = "openai/gpt-5.4-2026-03-05"
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]
CHOICE = {"type": "function", "name": "get_weather"}
SORRY = "Please try again in a few minutes."


# Making one reads all certificates of the machine.
@functools.cache
def client(feature="chat", **options):
    options.setdefault("max_retries", 0)
    headers = {"x-wayside-feature": feature}
    return openai.OpenAI(base_url=BASE_URL, api_key="sk-caller", default_headers=headers, **options)


def ask(feature="chat", **options):
    options.setdefault("input", "Say something short.")
    return client(feature).responses.create(model="gpt-5.4", **options)


def streamed(feature="chat", **options):
    """The events of a stream, and the text of its deltas."""
    events = list(ask(feature, stream=True, **options))
    return events, "".join(event.delta for event in events if event.type == "response.output_text.delta")


class Answers(unittest.TestCase):
    def test_an_answer_comes_from_the_pinned_snapshot(self):
        raw = client().responses.with_raw_response.create(model="gpt-5.4", input="Say something short.")
        answer = raw.parse()
        self.assertEqual(raw.headers["x-wayside-snapshot"], PRIMARY)
        self.assertTrue(raw.request_id)
        self.assertEqual((answer.object, answer.status), ("response", "completed"))
        self.assertEqual(answer.model, "gpt-5.4-2026-03-05")
        self.assertTrue(answer.id.startswith("resp_"), answer.id)
        self.assertTrue(answer.output_text)
        self.assertGreater(answer.usage.input_tokens, 0)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)

    def test_answers_and_events_are_what_the_sdk_has_types_for(self):
        raw = client().responses.with_raw_response.create(model="gpt-5.4", input="Use get_weather.", tools=TOOLS)
        openai.types.responses.Response.model_validate_json(raw.text, strict=True)
        event = pydantic.TypeAdapter(openai.types.responses.ResponseStreamEvent)
        for one in streamed(instructions="Be brief.", temperature=0.5)[0]:
            event.validate_json(one.model_dump_json(exclude_unset=True), strict=True)

    def test_a_stream_says_the_same_as_the_whole_answer(self):
        whole = ask()
        events, text = streamed()
        self.assertEqual(text, whole.output_text)
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        self.assertEqual([event.type for event in events[:2]], ["response.created", "response.in_progress"])
        self.assertEqual(events[-1].type, "response.completed")
        self.assertEqual(events[-1].response.output_text, whole.output_text)
        self.assertEqual(events[-1].response.usage, whole.usage)

    def test_the_stream_helper_has_the_final_response(self):
        with client().responses.stream(model="gpt-5.4", input="Say something short.") as stream:
            snapshots = [event.snapshot for event in stream if event.type == "response.output_text.delta"]
            final = stream.get_final_response()
        self.assertEqual(snapshots[-1], final.output_text)

    def test_functions_are_called_and_their_results_sent_back(self):
        answer = ask(tools=TOOLS, tool_choice=CHOICE)
        call = answer.output[-1]
        self.assertEqual((call.type, call.name), ("function_call", "get_weather"))
        self.assertIn("city", json.loads(call.arguments))
        history = [{"role": "user", "content": "Weather?"}, *answer.output]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
        again = ask(input=history + [result], tools=TOOLS)
        self.assertTrue(again.output_text)

    def test_calls_are_streamed_in_fragments(self):
        events, _ = streamed(tools=TOOLS, tool_choice=CHOICE)
        fragments = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
        done = next(event for event in events if event.type == "response.function_call_arguments.done")
        self.assertEqual("".join(fragments), done.arguments)
        self.assertEqual(events[-1].response.output[-1].arguments, done.arguments)

    def test_the_cap_leaves_an_answer_incomplete(self):
        answer = ask(max_output_tokens=2)
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        events, _ = streamed(max_output_tokens=2)
        self.assertEqual(events[-1].type, "response.incomplete")


class Failures(unittest.TestCase):
    def test_a_failing_provider_is_replaced(self):
        raw = client("fallback").responses.with_raw_response.create(model="gpt-5.4", input="Say something short.")
        self.assertEqual(raw.headers["x-wayside-hop"], "2")
        self.assertEqual(raw.parse().model, "claude-sonnet-5")
        events, text = streamed("fallback")
        self.assertEqual(text, raw.parse().output_text)
        self.assertEqual(events[-1].type, "response.completed")

    def test_the_degraded_answer_is_an_ordinary_one(self):
        self.assertEqual(ask("degraded").output_text, SORRY)
        events, text = streamed("degraded")
        self.assertEqual((text, events[-1].response.output_text), (SORRY, SORRY))

    def test_refusals_raise_the_exception_of_their_status(self):
        for status, name in STATUSES.items():
            with self.subTest(status), self.assertRaises(getattr(openai, name)) as raised:
                ask(f"refuse_{status}")
            self.assertIn("refused by policy", raised.exception.message)

    def test_an_exhausted_chain_is_an_internal_server_error(self):
        with self.assertRaises(openai.InternalServerError) as raised:
            ask("down")
        self.assertEqual(raised.exception.status_code, 503)
        self.assertEqual(raised.exception.response.headers["x-should-retry"], "false")

    def test_what_nobody_can_be_told_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            ask(previous_response_id="resp_1")
        self.assertEqual(raised.exception.param, "previous_response_id")

    def test_a_cut_stream_raises_and_does_not_look_complete(self):
        got = []
        with self.assertRaises(openai.APIError):
            for event in ask("cut", stream=True):
                got.append(event.type)
        self.assertIn("response.output_text.delta", got)
        self.assertNotIn("response.completed", got)


if __name__ == "__main__":
    unittest.main(verbosity=2)
