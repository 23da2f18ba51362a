"""Embeddings with the official OpenAI SDK for Python, unmodified, against the sidecar. Run by tests/sdk.rs."""

import functools
import math
import os
import unittest

import openai

BASE_URL = os.environ["WAYSIDE_URL"] + "/v1"
MODEL = "text-embedding-3-small"


# Making one reads all certificates of the machine.
@functools.cache
def client(feature="chat"):
    headers = {"x-wayside-feature": feature}
    return openai.OpenAI(base_url=BASE_URL, api_key="sk-caller", max_retries=0, default_headers=headers)


class Embeddings(unittest.TestCase):
    def test_base64_which_the_sdk_asks_for_says_the_same_as_floats(self):
        usual = client().embeddings.create(model=MODEL, input=["a", "b"])
        floats = client().embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        self.assertEqual([one.index for one in usual.data], [0, 1])
        for one, other in zip(usual.data, floats.data):
            self.assertTrue(all(math.isclose(x, y, abs_tol=1e-6) for x, y in zip(one.embedding, other.embedding)))
            self.assertAlmostEqual(math.dist(other.embedding, [0] * len(other.embedding)), 1, places=3)
        self.assertGreater(usual.usage.prompt_tokens, 0)

    def test_dimensions_are_what_was_asked_for(self):
        answer = client().embeddings.create(model=MODEL, input="a", dimensions=64)
        self.assertEqual(len(answer.data[0].embedding), 64)

    def test_what_is_missing_is_named(self):
        with self.assertRaises(openai.BadRequestError) as raised:
            client().embeddings.create(model=MODEL, input=[])
        self.assertEqual(raised.exception.param, "input")


if __name__ == "__main__":
    unittest.main(verbosity=2)
