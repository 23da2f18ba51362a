"""The official OpenAI SDK for Python, unmodified, against the sidecar. Run by tests/sdk.rs."""

import functools
import json
import os
import time
import unittest

import openai

from matrix import STATUSES, simulator

BASE_URL = os.environ["WAYSIDE_URL"] + "/v1"
PRIMARY = "openai/gpt-5.4-2026-03-05"
MESSAGES = [{"role": "user", "content": "Say something short."}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
                "additionalProperties": False,
            },
            "strict": True,
        },
    }
]


# Making one reads all certificates of the machine.
@functools.cache
def client(feature="chat", **options):
    options.setdefault("max_retries", 0)
    headers = {"x-wayside-feature": feature}
    return openai.OpenAI(base_url=BASE_URL, api_key="sk-caller", default_headers=headers, **options)


def ask(feature="chat", **options):
    return client(feature).chat.completions.create(model="gpt-5.4", messages=MESSAGES, **options)


class Answers(unittest.TestCase):
    def test_a_chat_is_answered_by_the_pinned_snapshot(self):
        raw = client().chat.completions.with_raw_response.create(model="gpt-5.4", messages=MESSAGES)
        answer = raw.parse()
        self.assertEqual(raw.headers["x-wayside-snapshot"], PRIMARY)
        self.assertEqual(raw.headers["x-wayside-hop"], "1")
        self.assertEqual(raw.headers["x-wayside-rule"], "otherwise")
        self.assertTrue(raw.request_id)
        self.assertEqual(answer.model, "gpt-5.4-2026-03-05")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertTrue(answer.choices[0].message.content)
        self.assertGreater(answer.usage.total_tokens, 0)

    def test_usage_of_a_stream_arrives_when_asked_for(self):
        chunks = list(ask(stream=True, stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_tools_pass_through(self):
        choice = {"type": "function", "function": {"name": "get_weather"}}
        answer = ask(tools=TOOLS, tool_choice=choice)
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, "get_weather")
        self.assertIn("city", json.loads(call.function.arguments))
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        follow_up = MESSAGES + [
            answer.choices[0].message,
            {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
        ]
        again = client().chat.completions.create(model="gpt-5.4", messages=follow_up, tools=TOOLS)
        self.assertTrue(again.choices[0].message.content)

    def test_models_are_listed(self):
        models = [model.id for model in client().models.list()]
        self.assertIn(PRIMARY, models)


class Failures(unittest.TestCase):
    def test_a_failing_provider_is_replaced(self):
        raw = client("fallback").chat.completions.with_raw_response.create(model="gpt-5.4", messages=MESSAGES)
        self.assertEqual(raw.headers["x-wayside-hop"], "2")
        self.assertEqual(raw.parse().model, "claude-sonnet-5")
        text = "".join(c.choices[0].delta.content or "" for c in ask("fallback", stream=True) if c.choices)
        self.assertEqual(text, raw.parse().choices[0].message.content)

    def test_the_degraded_answer_is_an_ordinary_one(self):
        raw = client("degraded").chat.completions.with_raw_response.create(model="gpt-5.4", messages=MESSAGES)
        self.assertEqual(raw.headers["x-wayside-degraded"], "template sorry")
        self.assertEqual(raw.parse().choices[0].message.content, "Please try again in a few minutes.")
        chunks = list(ask("degraded", stream=True))
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(text, "Please try again in a few minutes.")

    def test_refusals_raise_the_exception_of_their_status(self):
        for status, name in STATUSES.items():
            with self.subTest(status), self.assertRaises(getattr(openai, name)) as raised:
                ask(f"refuse_{status}")
            self.assertIn("refused by policy", raised.exception.message)
            self.assertTrue(raised.exception.request_id)

    def test_an_exhausted_chain_is_an_internal_server_error_and_is_not_retried(self):
        simulator("DELETE", "seen")
        with self.assertRaises(openai.InternalServerError) as raised:
            client("down", max_retries=2).chat.completions.create(model="gpt-5.4", messages=MESSAGES)
        self.assertEqual(raised.exception.status_code, 503)
        self.assertEqual(raised.exception.response.headers["x-should-retry"], "false")
        asked = [one for one in simulator("GET", "seen")["requests"] if one["provider"] == "mistral"]
        self.assertEqual(len(asked), 1)

    def test_the_callers_own_mistake_comes_back_as_it_is(self):
        with self.assertRaises(openai.BadRequestError):
            ask("bad")
        with self.assertRaises(openai.BadRequestError) as raised:
            ask("filtered")
        self.assertEqual(raised.exception.code, "content_policy_violation")

    def test_an_unknown_feature_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            ask("caht")
        self.assertEqual(raised.exception.code, "unknown_feature")
        self.assertIn("cha", raised.exception.message)

    def test_a_missing_model_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            client().chat.completions.create(model="", messages=MESSAGES)
        self.assertIn("model", raised.exception.message)

    def test_a_cut_stream_raises_and_does_not_look_complete(self):
        got = []
        with self.assertRaises(openai.APIError):
            for chunk in ask("cut", stream=True):
                got.append(chunk)
        self.assertTrue(got)
        self.assertTrue(all(c.choices[0].finish_reason is None for c in got if c.choices))

    def test_a_timeout_of_the_caller_cancels_the_attempt(self):
        simulator("DELETE", "seen")
        with self.assertRaises(openai.APITimeoutError):
            client("slow", timeout=0.4).chat.completions.create(model="gpt-5.4", messages=MESSAGES)
        for _ in range(50):
            asked = [one for one in simulator("GET", "seen")["requests"] if one["provider"] == "cohere"]
            if asked and asked[0]["client_gone"]:
                return
            time.sleep(0.1)
        self.fail(f"the provider still works for nobody: {asked}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
