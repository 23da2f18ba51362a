"""A sidecar that has no place left says so, and the official SDKs for Python come again by themselves. Run by tests/sdk.rs, with room for
one request."""

import concurrent.futures
import time
import unittest

import anthropic
import openai

from matrix import URL, simulator

MESSAGES = [{"role": "user", "content": "Say something short."}]


def chat(retries):
    client = openai.OpenAI(base_url=URL + "/v1", api_key="sk-caller", max_retries=retries)
    return client.chat.completions.create(model="gpt-5.4", messages=MESSAGES)


def message(retries):
    client = anthropic.Anthropic(base_url=URL, api_key="sk-ant-api03-caller", max_retries=retries)
    return client.messages.create(model="claude-sonnet-5", max_tokens=64, messages=MESSAGES)


class Busy(unittest.TestCase):
    def test_who_finds_no_place_is_told_to_come_again_and_does(self):
        for sdk, ask in [(openai, chat), (anthropic, message)]:
            simulator("PUT", "faults", [{"fault": "slow-head=600ms", "first": 1}])
            with self.subTest(sdk.__name__), concurrent.futures.ThreadPoolExecutor() as pool:
                first = pool.submit(ask, 0)
                while simulator("GET", "seen")["in_flight"] == 0:
                    time.sleep(0.01)
                with self.assertRaises(sdk.InternalServerError) as raised:
                    ask(0)
                self.assertEqual(raised.exception.status_code, 503)
                self.assertEqual(raised.exception.response.headers["x-should-retry"], "true")
                self.assertTrue(ask(2).id)
                self.assertTrue(first.result().id)


if __name__ == "__main__":
    unittest.main(verbosity=2)
