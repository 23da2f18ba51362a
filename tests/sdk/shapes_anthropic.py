"""What the transcripts of tests/wire say in Messages, held against the types of the official SDK. Run by tests/sdk.rs."""

import json
import pathlib
import sys
import unittest

import pydantic
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import (
    MessageCreateParamsBase,
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)

WIRE = pathlib.Path(__file__).parent.parent / "wire"
# The newer version of the API has no types for them; older models take them under the older one.
OLDER = {"temperature", "top_p", "top_k"}
EVENT = pydantic.TypeAdapter(RawMessageStreamEvent)


def found(pattern):
    files = sorted(WIRE.glob(pattern))
    assert len(files) > 10, f"{pattern}: {len(files)}"
    return files


class Shapes(unittest.TestCase):
    def test_answers_are_messages(self):
        for file in found("messages-*/*/client_response.json"):
            with self.subTest(str(file)):
                body = json.loads(file.read_text())
                Message.model_validate(body, strict=True)
                self.assertLessEqual(set(body), set(Message.model_fields))

    def test_streams_are_made_of_events(self):
        for file in found("messages-*/*/client_response.sse"):
            with self.subTest(str(file)):
                for block in file.read_text().removesuffix("\n\n").split("\n\n"):
                    name, data = block.split("\n")
                    event = json.loads(data.removeprefix("data: "))
                    self.assertEqual(name, f"event: {event['type']}")
                    if event["type"] != "error":
                        EVENT.validate_python(event, strict=True)

    def test_requests_have_parameters_of_their_types(self):
        for file in found("*-messages/*/upstream_request.json"):
            with self.subTest(str(file)):
                body = json.loads(file.read_text())
                kind = MessageCreateParamsStreaming if body.get("stream") else MessageCreateParamsNonStreaming
                known = set(MessageCreateParamsBase.__annotations__) | set(kind.__annotations__)
                self.assertLessEqual(set(body) - OLDER, known)
                newer = {name: value for name, value in body.items() if name not in OLDER}
                pydantic.TypeAdapter(kind).validate_python(newer)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
