"""The official Anthropic SDK for Python, unmodified, against the sidecar. Run by tests/sdk.rs.

Everything that both upstreams can do is asked twice: of one that speaks Messages, and of one that speaks Chat Completions."""

import functools
import json
import os
import time
import unittest
import urllib.request

import anthropic

from matrix import simulator

BASE_URL = os.environ["WAYSIDE_URL"]
SNAPSHOTS = {"native": "anthropic/claude-sonnet-5", "crossed": "openai/gpt-5.4-2026-03-05"}
MESSAGES = [{"role": "user", "content": "Say something short."}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA},
    {"name": "get_time", "description": "Time of a city", "input_schema": SCHEMA},
]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


# Making one reads all certificates of the machine.
@functools.cache
def client(feature="native", **options):
    options.setdefault("max_retries", 0)
    headers = {"x-wayside-feature": feature}
    return anthropic.Anthropic(base_url=BASE_URL, api_key="sk-ant-api03-caller", default_headers=headers, **options)


def ask(feature="native", messages=MESSAGES, **options):
    options.setdefault("max_tokens", 512)
    return client(feature).messages.create(model="claude-sonnet-5", messages=messages, **options)


def stream(feature="native", messages=MESSAGES, **options):
    options.setdefault("max_tokens", 512)
    return client(feature).messages.stream(model="claude-sonnet-5", messages=messages, **options)


class Answers(unittest.TestCase):
    def test_a_message_is_answered_by_the_pinned_snapshot(self):
        for feature, snapshot in SNAPSHOTS.items():
            with self.subTest(feature):
                raw = client(feature).messages.with_raw_response.create(
                    model="claude-sonnet-5", max_tokens=512, messages=MESSAGES
                )
                answer = raw.parse()
                self.assertEqual(raw.headers["x-wayside-snapshot"], snapshot)
                self.assertTrue(raw.headers["request-id"])
                self.assertEqual(raw.headers["content-type"], "application/json")
                self.assertTrue(answer.id.startswith("msg_"))
                self.assertEqual((answer.type, answer.role, answer.stop_reason), ("message", "assistant", "end_turn"))
                self.assertEqual(answer.model, snapshot.split("/")[1])
                self.assertTrue(answer.content[0].text)
                self.assertGreater(answer.usage.input_tokens, 0)
                self.assertGreater(answer.usage.output_tokens, 0)

    def test_events_come_in_their_order(self):
        for feature in SNAPSHOTS:
            with self.subTest(feature):
                kinds = [event.type for event in ask(feature, stream=True)]
                deltas = kinds.count("content_block_delta")
                self.assertGreater(deltas, 1)
                self.assertEqual(
                    kinds,
                    ["message_start", "content_block_start"]
                    + ["content_block_delta"] * deltas
                    + ["content_block_stop", "message_delta", "message_stop"],
                )

    def test_tools_are_called_and_answered(self):
        for feature in SNAPSHOTS:
            with self.subTest(feature):
                asked = [{"role": "user", "content": "Please get_weather and get_time."}]
                answer = ask(feature, asked, tools=TOOLS)
                calls = [block for block in answer.content if block.type == "tool_use"]
                self.assertEqual([call.name for call in calls], ["get_weather", "get_time"])
                self.assertEqual(answer.stop_reason, "tool_use")
                self.assertTrue(all(isinstance(call.input["city"], str) for call in calls))
                results = [
                    {"type": "tool_result", "tool_use_id": calls[0].id, "content": [{"type": "text", "text": "sunny"}]},
                    {"type": "tool_result", "tool_use_id": calls[1].id, "content": "no clock", "is_error": True},
                ]
                told = asked + [
                    {"role": "assistant", "content": answer.content},
                    {"role": "user", "content": results + [{"type": "text", "text": "Go on."}]},
                ]
                again = ask(feature, told, tools=TOOLS)
                self.assertTrue(again.content[0].text)

    def test_a_choice_of_tools_is_obeyed(self):
        for feature in SNAPSHOTS:
            with self.subTest(feature):
                named = ask(feature, tools=TOOLS, tool_choice={"type": "tool", "name": "get_time"})
                self.assertEqual([block.name for block in named.content], ["get_time"])
                one = {"type": "any", "disable_parallel_tool_use": True}
                both = [{"role": "user", "content": "Please get_weather and get_time."}]
                self.assertEqual(len(ask(feature, both, tools=TOOLS, tool_choice=one).content), 1)
                none = ask(feature, both, tools=TOOLS, tool_choice={"type": "none"})
                self.assertEqual(none.content[0].type, "text")

    def test_everything_a_request_can_hold_is_understood(self):
        content = [
            {"type": "text", "text": "Look.", "cache_control": {"type": "ephemeral"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        ]
        # Models of the other dialect that think take no texts that end an answer.
        for feature, stop in [("native", ["END"]), ("crossed", [])]:
            with self.subTest(feature):
                answer = ask(
                    feature,
                    [{"role": "user", "content": content}],
                    system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
                    stop_sequences=stop,
                    metadata={"user_id": "u-7"},
                    thinking={"type": "adaptive"},
                    output_config={"effort": "low"},
                    service_tier="auto",
                )
                self.assertEqual(answer.content[-1].type, "text")

    def test_thinking_of_the_same_provider_passes_through(self):
        asked = {"thinking": {"type": "adaptive"}, "max_tokens": 2048}
        whole = ask("native", **asked)
        self.assertEqual([block.type for block in whole.content], ["thinking", "text"])
        with stream("native", **asked) as events:
            final = events.get_final_message()
        self.assertEqual(final.content[0].signature, whole.content[0].signature)
        told = MESSAGES + [{"role": "assistant", "content": whole.content}, {"role": "user", "content": "And now?"}]
        for feature in SNAPSHOTS:
            with self.subTest(feature):
                self.assertTrue(ask(feature, told).content[0].text)

    def test_tokens_are_counted(self):
        for feature in SNAPSHOTS:
            with self.subTest(feature):
                count = client(feature).messages.count_tokens(
                    model="claude-sonnet-5", messages=MESSAGES, system="Be brief.", tools=TOOLS
                )
                self.assertGreater(count.input_tokens, 0)

    def test_older_clients_send_their_key_in_another_header(self):
        for header in [{"x-api-key": "sk-ant-api03-caller"}, {"authorization": "Bearer sk-ant-api03-caller"}]:
            for version in [{}, {"anthropic-version": "2023-06-01"}]:
                with self.subTest([header, version]):
                    body = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}
                    headers = {"content-type": "application/json", "x-wayside-feature": "crossed", **header, **version}
                    url = BASE_URL + "/v1/messages?beta=true"
                    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
                    with urllib.request.urlopen(request) as answer:
                        self.assertEqual(json.load(answer)["type"], "message")

    def test_the_providers_own_key_goes_to_the_provider(self):
        simulator("DELETE", "seen")
        ask("native")
        asked = [one for one in simulator("GET", "seen")["requests"] if one["provider"] == "anthropic"]
        self.assertEqual(len(asked), 1)
        self.assertEqual(asked[0]["endpoint"], "messages")
        self.assertIn("x-api-key", asked[0]["headers"])
        self.assertNotIn("authorization", asked[0]["headers"])


class Failures(unittest.TestCase):
    def test_a_failing_provider_is_replaced_by_one_of_the_other_dialect(self):
        for feature, model in [("native_fails", "gpt-5.4-2026-03-05"), ("crossed_fails", "claude-sonnet-5")]:
            with self.subTest(feature):
                raw = client(feature).messages.with_raw_response.create(
                    model="claude-sonnet-5", max_tokens=512, messages=MESSAGES
                )
                self.assertEqual(raw.headers["x-wayside-hop"], "2")
                self.assertEqual(raw.parse().model, model)
                with stream(feature) as events:
                    self.assertEqual("".join(events.text_stream), raw.parse().content[0].text)

    def test_refusals_raise_the_exception_of_their_status(self):
        for status, exception, kind in [
            (400, anthropic.BadRequestError, "invalid_request_error"),
            (401, anthropic.AuthenticationError, "authentication_error"),
            (403, anthropic.PermissionDeniedError, "permission_error"),
            (404, anthropic.NotFoundError, "not_found_error"),
            (409, anthropic.ConflictError, "conflict_error"),
            (413, anthropic.ContentTooLargeError, "request_too_large"),
            (422, anthropic.UnprocessableEntityError, "invalid_request_error"),
            (429, anthropic.RateLimitError, "rate_limit_error"),
        ]:
            with self.subTest(status), self.assertRaises(exception) as raised:
                ask(f"refuse_{status}")
            self.assertEqual(raised.exception.type, kind)
            self.assertIn("refused by policy", raised.exception.api_message)
            self.assertTrue(raised.exception.request_id)

    def test_an_exhausted_chain_is_an_internal_server_error_and_is_not_retried(self):
        simulator("DELETE", "seen")
        with self.assertRaises(anthropic.InternalServerError) as raised:
            client("down", max_retries=2).messages.create(model="claude-opus-5", max_tokens=64, messages=MESSAGES)
        self.assertEqual(raised.exception.status_code, 529)
        self.assertEqual(raised.exception.type, "overloaded_error")
        self.assertEqual(raised.exception.response.headers["x-should-retry"], "false")
        self.assertEqual(
            len([one for one in simulator("GET", "seen")["requests"] if one["provider"] == "anthropic"]), 1
        )

    def test_what_the_other_dialect_cannot_be_told_is_named(self):
        for option in [{"extra_body": {"top_k": 5}}, {"inference_geo": "eu"}, {"extra_body": {"some_new_field": 1}}]:
            with self.subTest(option), self.assertRaises(anthropic.BadRequestError) as raised:
                ask("crossed", **option)
            self.assertEqual(raised.exception.error_code, "unsupported_by_target")
            field = next(iter(option.get("extra_body", option)))
            self.assertIn(field, raised.exception.api_message)
        self.assertTrue(ask("native", inference_geo="eu", extra_body={"some_new_field": 1}).content)

    def test_an_unknown_feature_is_named(self):
        with self.assertRaises(anthropic.BadRequestError) as raised:
            ask("nativ")
        self.assertEqual(raised.exception.error_code, "unknown_feature")
        self.assertIn("native", raised.exception.api_message)

    def test_a_refusal_of_the_model_is_told(self):
        for feature in ["declines_native", "declines_crossed"]:
            with self.subTest(feature):
                answer = ask(feature)
                self.assertEqual(answer.stop_reason, "refusal")
                self.assertTrue(answer.stop_details.explanation)
                with stream(feature) as events:
                    final = events.get_final_message()
                self.assertEqual(final.stop_reason, "refusal")

    def test_a_cut_stream_raises_and_does_not_look_complete(self):
        for feature in ["cut_native", "cut_crossed"]:
            with self.subTest(feature):
                got = []
                with self.assertRaises(anthropic.APIStatusError) as raised:
                    for event in ask(feature, stream=True):
                        got.append(event.type)
                self.assertEqual(raised.exception.error_code, "stream_cut")
                self.assertIn("content_block_delta", got)
                self.assertNotIn("message_stop", got)

    def test_a_timeout_of_the_caller_cancels_the_attempt(self):
        simulator("DELETE", "seen")
        with self.assertRaises(anthropic.APITimeoutError):
            client("slow", timeout=0.4).messages.create(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES)
        for _ in range(50):
            asked = [one for one in simulator("GET", "seen")["requests"] if one["provider"] == "cohere"]
            if asked and asked[0]["client_gone"]:
                return
            time.sleep(0.1)
        self.fail(f"the provider still works for nobody: {asked}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
