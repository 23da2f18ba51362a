"""The official Google Gen AI SDK for Python, unmodified, against the sidecar. Run by tests/sdk.rs."""

import functools
import os
import unittest

from google import genai
from google.genai import errors, types

from matrix import simulator

NATIVE = "gemini-3.8-flash"
# Upstreams of three dialects, and the model that each answer names.
UPSTREAMS = {"native": NATIVE, "crossed": "gpt-5.4-2026-03-05", "crossed_messages": "claude-sonnet-5"}
PROMPT = "Say something short."
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Weather of a city",
    parameters_json_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
)


# The SDK closes a client's connections when nobody holds the client any more.
@functools.cache
def client(feature="native", version=None):
    options = types.HttpOptions(
        base_url=os.environ["WAYSIDE_URL"], api_version=version, headers={"x-wayside-feature": feature}
    )
    return genai.Client(api_key="caller", http_options=options)


def ask(feature="native", contents=PROMPT, version=None, **config):
    config = types.GenerateContentConfig(**config) if config else None
    return client(feature, version).models.generate_content(model=NATIVE, contents=contents, config=config)


def stream(feature="native", contents=PROMPT, **config):
    config = types.GenerateContentConfig(**config) if config else None
    return client(feature).models.generate_content_stream(model=NATIVE, contents=contents, config=config)


class Answers(unittest.TestCase):
    def test_an_answer_comes_from_any_upstream(self):
        for feature, model in UPSTREAMS.items():
            with self.subTest(feature):
                answer = ask(feature)
                self.assertTrue(answer.text)
                self.assertEqual(answer.model_version, model)
                self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.STOP)
                self.assertTrue(answer.response_id)
                usage = answer.usage_metadata
                self.assertGreater(usage.prompt_token_count, 0)
                self.assertEqual(usage.total_token_count, usage.prompt_token_count + usage.candidates_token_count)

    def test_both_versions_of_the_api_are_served(self):
        texts = {ask(version=version).text for version in [None, "v1", "v1beta"]}
        self.assertEqual(len(texts), 1)

    def test_instructions_history_and_limits_arrive(self):
        contents = [
            types.Content(role="user", parts=[types.Part(text="One?")]),
            types.Content(role="model", parts=[types.Part(text="1")]),
            types.Content(role="user", parts=[types.Part(text="Two?")]),
        ]
        config = {"system_instruction": "Be brief.", "max_output_tokens": 3}
        for feature in UPSTREAMS:
            with self.subTest(feature):
                answer = ask(feature, contents, **config)
                self.assertEqual(answer.candidates[0].finish_reason, types.FinishReason.MAX_TOKENS)
                self.assertEqual(answer.usage_metadata.candidates_token_count, 3)

    def test_tools_are_called_and_their_results_are_taken(self):
        calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
        config = {
            "tools": [types.Tool(function_declarations=[WEATHER])],
            "tool_config": types.ToolConfig(function_calling_config=calling),
        }
        for feature in UPSTREAMS:
            with self.subTest(feature):
                answer = ask(feature, **config)
                call = answer.function_calls[0]
                self.assertEqual(call.name, "get_weather")
                self.assertIsInstance(call.args["city"], str)
                result = types.Part.from_function_response(name=call.name, response={"result": "sunny"})
                history = [types.Content(role="user", parts=[types.Part(text=PROMPT)]), answer.candidates[0].content]
                history.append(types.Content(role="user", parts=[result]))
                again = ask(feature, history, tools=config["tools"])
                self.assertTrue(again.text)
                chunks = [chunk for chunk in stream(feature, **config) if chunk.function_calls]
                self.assertEqual(chunks[0].function_calls[0].args, call.args)

    def test_a_chat_calls_functions_by_itself(self):
        def get_weather(city: str) -> str:
            """Weather of a city."""
            return f"sunny in {city}"

        for feature in ["native", "crossed"]:
            with self.subTest(feature):
                config = types.GenerateContentConfig(tools=[get_weather])
                chat = client(feature).chats.create(model=NATIVE, config=config)
                self.assertTrue(chat.send_message("Use get_weather, please.").text)
                parts = [part for content in chat.get_history() for part in content.parts]
                self.assertTrue(any(part.function_response for part in parts))

    def test_images_arrive(self):
        image = types.Part.from_bytes(data=b"\xfb\xff\xfe\x00", mime_type="image/png")
        for feature in UPSTREAMS:
            with self.subTest(feature):
                self.assertTrue(ask(feature, [image, "What is it?"]).text)


class Failures(unittest.TestCase):
    def test_a_failing_provider_is_replaced_across_dialects(self):
        for feature, model in [("native_fails", "gpt-5.4-2026-03-05"), ("crossed_fails", NATIVE)]:
            with self.subTest(feature):
                answer = ask(feature)
                self.assertEqual(answer.model_version, model)
                self.assertEqual("".join(chunk.text or "" for chunk in stream(feature)), answer.text)

    def test_refusals_raise_the_exception_of_their_status(self):
        for status, word in [
            (400, "INVALID_ARGUMENT"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "NOT_FOUND"),
            (429, "RESOURCE_EXHAUSTED"),
        ]:
            with self.subTest(status), self.assertRaises(errors.ClientError) as raised:
                ask(f"refuse_{status}")
            self.assertEqual((raised.exception.code, raised.exception.status), (status, word))
            self.assertIn("refused by policy", raised.exception.message)

    def test_an_exhausted_chain_is_a_server_error(self):
        simulator("DELETE", "seen")
        for call in [lambda: ask("down"), lambda: list(stream("down"))]:
            with self.assertRaises(errors.ServerError) as raised:
                call()
            self.assertEqual((raised.exception.code, raised.exception.status), (503, "UNAVAILABLE"))
        asked = [one for one in simulator("GET", "seen")["requests"] if one["provider"] == "google"]
        self.assertEqual(len(asked), 2)

    def test_a_field_that_cannot_be_translated_is_named(self):
        settings = [types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_NONE")]
        self.assertTrue(ask(safety_settings=settings).text)
        with self.assertRaises(errors.ClientError) as raised:
            ask("crossed", safety_settings=settings)
        self.assertEqual(raised.exception.code, 400)
        self.assertIn("safetySettings", raised.exception.message)

    def test_a_blocked_prompt_is_an_answer_without_text(self):
        answer = ask("blocked")
        self.assertIsNone(answer.text)
        self.assertEqual(answer.prompt_feedback.block_reason, types.BlockedReason.PROHIBITED_CONTENT)

    def test_a_cut_stream_raises_and_does_not_look_complete(self):
        for feature in ["cut_native", "cut_crossed"]:
            with self.subTest(feature):
                got = []
                with self.assertRaises(errors.ServerError):
                    for chunk in stream(feature):
                        got.append(chunk)
                self.assertTrue(got)
                self.assertTrue(all(chunk.candidates[0].finish_reason is None for chunk in got))


if __name__ == "__main__":
    unittest.main(verbosity=2)
