"""What the transcripts of tests/wire say in generateContent, held against the types of the official SDK. Run by tests/sdk.rs.

Its models forbid what they do not know. It has none for a whole request, which its client puts together from the parts here."""

import json
import sys
import unittest

import pydantic
from google.genai import types

from shapes import events, found


class Request(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", alias_generator=pydantic.alias_generators.to_camel)

    contents: list[types.Content]
    system_instruction: types.Content | None = None
    generation_config: types.GenerationConfig | None = None
    tools: list[types.Tool] | None = None
    tool_config: types.ToolConfig | None = None


class Shapes(unittest.TestCase):
    def test_answers_are_responses(self):
        for case, text in found("gemini-*/*/client_response.json"):
            with self.subTest(case):
                types.GenerateContentResponse.model_validate_json(text, strict=True)

    def test_streams_are_made_of_responses(self):
        for case, text in found("gemini-*/*/client_response.sse", least=5):
            with self.subTest(case):
                for name, data in events(text):
                    self.assertIsNone(name)
                    if not data.startswith('{"error"'):
                        types.GenerateContentResponse.model_validate_json(data, strict=True)

    def test_requests_have_parts_of_their_types(self):
        for case, text in found("*-gemini/*/upstream_request.json"):
            with self.subTest(case):
                Request.model_validate_json(text, strict=True)

    def test_a_request_with_a_field_or_a_type_of_nobody_is_refused(self):
        for wrong in [{"parts": [{"text": "x", "odd": 1}]}, {"parts": [{"text": 1}]}]:
            with self.subTest(wrong), self.assertRaises(pydantic.ValidationError):
                Request.model_validate_json(json.dumps({"contents": [wrong]}), strict=True)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
