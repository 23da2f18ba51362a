"""What the transcripts of tests/wire say in Messages, held against the types of the official SDK. Run by tests/sdk.rs."""

import json
import sys
import unittest

import pydantic
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming

from shapes import events, found, judge, strangers, strictly

strictly("anthropic.types")
# The newer version of the API has no types for them; older models take them under the older one.
OLDER = {"temperature", "top_p", "top_k"}
EVENT = pydantic.TypeAdapter(RawMessageStreamEvent)


class Shapes(unittest.TestCase):
    def test_answers_are_messages(self):
        for case, text in found("messages-*/*/client_response.json"):
            with self.subTest(case):
                self.assertEqual(list(strangers(Message.model_validate_json(text, strict=True))), [])

    def test_streams_are_made_of_events(self):
        for case, text in found("messages-*/*/client_response.sse"):
            with self.subTest(case):
                for name, data in events(text):
                    self.assertEqual(name, json.loads(data)["type"])
                    if name != "error":
                        self.assertEqual(list(strangers(EVENT.validate_json(data, strict=True))), [])

    def test_requests_have_parameters_of_their_types(self):
        for case, text in found("*-messages/*/upstream_request.json"):
            with self.subTest(case):
                body = {name: value for name, value in json.loads(text).items() if name not in OLDER}
                # Clouds that host the model name it in the path, and in the body what is in headers elsewhere.
                if body.pop("anthropic_version", None):
                    self.assertNotIn("model", body)
                    body.pop("anthropic_beta", None)
                    body["model"] = "of the path"
                streams = body.get("stream", False)
                judge(MessageCreateParamsStreaming if streams else MessageCreateParamsNonStreaming, json.dumps(body))

    def test_a_request_with_a_field_or_a_type_of_nobody_is_refused(self):
        for wrong in [{"role": "user", "content": "x", "odd": 1}, {"role": "user", "content": 1}]:
            body = {"model": "claude-sonnet-5", "max_tokens": 1, "messages": [wrong]}
            with self.subTest(wrong), self.assertRaises(pydantic.ValidationError):
                judge(MessageCreateParamsNonStreaming, json.dumps(body))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
