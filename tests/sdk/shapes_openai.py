"""What the transcripts of tests/wire say in Chat Completions and in Responses, held against the types of the official SDK. Run by
tests/sdk.rs."""

import json
import sys
import unittest

import openai.types.chat.completion_create_params as chat
import openai.types.responses.response_create_params as responses
import pydantic
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from shapes import events, found, judge, strangers, strictly

strictly("openai.types")
EVENT = pydantic.TypeAdapter(ResponseStreamEvent)


# What the SDK for Python has no name for.
UNNAMED = {
    ".store": "repeated in each response, as the API's reference shows",
    ".response.store": "the same in the events that hold a response",
    ".name": "the SDK for Node.js has it in response.function_call_arguments.done",
    ".logprobs[].bytes": "a whole answer's likelihoods have them; the types of events leave them out",
    ".logprobs[].top_logprobs[].bytes": "the same",
    ".error": "makes both SDKs raise on an error event as they do on a status",
}


class Shapes(unittest.TestCase):
    def test_answers_are_completions(self):
        for case, text in found("chat-*/*/client_response.json"):
            with self.subTest(case):
                self.assertEqual(list(strangers(ChatCompletion.model_validate_json(text, strict=True))), [])

    def test_streams_are_made_of_chunks(self):
        for case, text in found("chat-*/*/client_response.sse"):
            with self.subTest(case):
                for name, data in events(text):
                    self.assertIsNone(name)
                    if data != "[DONE]" and "error" not in json.loads(data):
                        chunk = ChatCompletionChunk.model_validate_json(data, strict=True)
                        self.assertEqual(list(strangers(chunk)), [])

    def test_answers_are_responses(self):
        for case, text in found("responses-*/*/client_response.json"):
            with self.subTest(case):
                response = Response.model_validate_json(text, strict=True)
                self.assertLessEqual(set(strangers(response)), set(UNNAMED))

    def test_streams_are_made_of_events(self):
        for case, text in found("responses-*/*/client_response.sse"):
            with self.subTest(case):
                for number, (name, data) in enumerate(events(text)):
                    event = EVENT.validate_json(data, strict=True)
                    self.assertEqual(event.type, name)
                    self.assertLessEqual(set(strangers(event)), set(UNNAMED))
                    if event.type != "error":
                        self.assertEqual(event.sequence_number, number)

    def test_requests_for_completions_have_parameters_of_their_types(self):
        kinds = {True: chat.CompletionCreateParamsStreaming, False: chat.CompletionCreateParamsNonStreaming}
        self.have_their_types("*-chat/*/upstream_request.json", kinds)

    def test_requests_for_responses_have_parameters_of_their_types(self):
        kinds = {True: responses.ResponseCreateParamsStreaming, False: responses.ResponseCreateParamsNonStreaming}
        self.have_their_types("*-responses/*/upstream_request.json", kinds)

    def test_a_request_with_a_field_or_a_type_of_nobody_is_refused(self):
        for wrong in [
            {"messages": [{"role": "user", "content": "x", "odd": 1}]},
            {"messages": [{"role": "user", "content": 1}]},
        ]:
            with self.subTest(wrong), self.assertRaises(pydantic.ValidationError):
                judge(chat.CompletionCreateParamsNonStreaming, json.dumps({"model": "gpt-5.4", **wrong}))

    def have_their_types(self, pattern, kinds):
        for case, text in found(pattern):
            with self.subTest(case):
                judge(kinds[json.loads(text).get("stream", False)], text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
