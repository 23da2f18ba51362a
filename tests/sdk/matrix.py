"""What every official SDK for Python has to get from every upstream: the scenarios, in words of no SDK. matrix_*.py say them in the
words of one; the same in JavaScript is in matrix.mjs. What both are told is in matrix.json."""

import asyncio
import dataclasses
import functools
import json
import os
import pathlib
import typing
import unittest
import urllib.request

import pydantic

DATA = json.loads((pathlib.Path(__file__).parent / "matrix.json").read_text())
UPSTREAMS = DATA["upstreams"]
TOOLS = DATA["tools"]
# What the SDKs of OpenAI and Anthropic raise, by the same names in both languages.
STATUSES = DATA["statuses"]
URL = os.environ["WAYSIDE_URL"]
SIMULATOR = os.environ["SIMULATOR_URL"]
# Requests that one asynchronous client has under way at once.
MANY = 10


class Place(pydantic.BaseModel):
    city: str
    score: int


@dataclasses.dataclass
class Asked:
    """A request in the SDK's own types, as far as the scenarios change it."""

    history: list
    tools: bool = False
    cap: int = 512
    # Fields of the body that the SDK may know nothing of.
    body: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Said:
    """An answer in words of no SDK: `finish` is stop, length or tools, `usage` is (prompt, answer)."""

    id: str
    model: str
    text: str
    calls: list
    finish: str
    usage: tuple
    raw: typing.Any = None

    def same(self):
        return (self.model, self.text, self.calls, self.finish, self.usage)


@dataclasses.dataclass
class Told:
    """An exception, in words of no SDK."""

    status: int
    code: str
    message: str
    # The field of the request at fault, where the SDK says it.
    field: str | None = None


def simulator(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(SIMULATOR + "/simulate/" + path, data, method=method)) as answer:
        return json.loads(answer.read())


def provider(upstream):
    return UPSTREAMS[upstream].split("/")[0]


def with_each_upstream(test):
    """Runs a scenario once for each of them, and goes on after one that fails."""

    @functools.wraps(test)
    def run(self):
        for upstream in UPSTREAMS:
            with self.subTest(upstream):
                test(self, upstream)

    return run


class Matrix:
    """Mixed into a TestCase for each dialect that an SDK speaks."""

    # Its name in matrix.json.
    caller: str
    # How often an upstream is asked by a client that may repeat a request twice, when it is told not to.
    asked_when_told_not_to = 1
    # The classes of exceptions by status.
    classes: dict
    # What is raised by a stream that breaks off.
    cut: type

    def tearDown(self):
        simulator("DELETE", "faults")

    def ways(self):
        return [("whole", self.whole), ("streamed", self.streamed)]

    def fails(self, upstream, **fault):
        simulator("PUT", "faults", [{"provider": provider(upstream), **fault}])
        simulator("DELETE", "seen")

    def tries(self, upstream):
        return len([one for one in simulator("GET", "seen")["requests"] if one["provider"] == provider(upstream)])

    def say(self, **more):
        return Asked([self.user(DATA["say"])], **more)

    def call(self):
        return Asked([self.user(DATA["call"])], tools=True)

    @with_each_upstream
    def test_an_answer_is_the_same_whole_and_streamed(self, upstream):
        whole, streamed = self.whole(upstream, self.say()), self.streamed(upstream, self.say())
        self.assertTrue(whole.id and whole.text)
        self.assertEqual((whole.model, whole.finish), (UPSTREAMS[upstream].split("/")[1], "stop"))
        self.assertTrue(all(tokens > 0 for tokens in whole.usage), whole.usage)
        self.assertEqual(streamed.same(), whole.same())
        self.assertNotEqual(streamed.id, whole.id)

    @with_each_upstream
    def test_the_cap_ends_an_answer(self, upstream):
        for way, ask in self.ways():
            said = ask(upstream, self.say(cap=3))
            self.assertEqual((said.finish, said.usage[1]), ("length", 3), way)

    @with_each_upstream
    def test_two_tools_are_called_at_once_and_their_results_taken(self, upstream):
        for way, ask in self.ways():
            said = ask(upstream, self.call())
            self.assertEqual([name for name, _ in said.calls], [tool["name"] for tool in TOOLS], way)
            self.assertEqual(said.finish, "tools", way)
            for (_, arguments), tool in zip(said.calls, TOOLS):
                self.assertEqual(set(arguments), set(tool["schema"]["properties"]), way)
            told = ask(upstream, self.answered(self.call(), said))
            self.assertEqual((told.finish, told.calls), ("stop", []), way)
            self.assertTrue(told.text, way)
        self.assertEqual(self.streamed(upstream, self.call()).same(), self.whole(upstream, self.call()).same())

    @with_each_upstream
    def test_an_answer_has_the_shape_that_was_demanded_and_is_taken_back(self, upstream):
        for way, place, turns in self.parsed(upstream):
            self.assertIsInstance(place, Place, way)
            again = Asked([*self.say().history, *turns, self.user(DATA["say"])])
            self.assertTrue(self.whole(upstream, again).text, way)

    @with_each_upstream
    def test_the_asynchronous_client_asks_many_at_once_and_streams(self, upstream):
        answers, streamed = asyncio.run(self.many(upstream, self.say()))
        self.assertEqual(len({said.id for said in answers}), MANY)
        self.assertEqual({said.text for said in answers}, {streamed})

    @with_each_upstream
    def test_every_failure_raises_the_exception_of_its_status(self, upstream):
        for row in DATA["faults"]:
            status = row.get("told", {}).get(self.caller, row["status"])
            for way, ask in self.ways():
                with self.subTest(row["fault"], way=way):
                    self.fails(upstream, fault=row["fault"])
                    with self.assertRaises(self.classes[status]) as raised:
                        ask(upstream, self.say())
                    told = self.told(raised.exception)
                    self.assertEqual(told.status, status)
                    self.assertTrue(told.message)
                    # Where both speak one dialect, the provider's own words come through.
                    if not (row.get("relayed") and upstream == self.caller):
                        self.assertEqual(told.code, row["code"])
                    self.assertEqual(self.tries(upstream), row["tries"])

    @with_each_upstream
    def test_a_client_that_would_repeat_a_request_is_told_not_to(self, upstream):
        self.fails(upstream, fault="overloaded")
        with self.assertRaises(self.cut):
            self.whole(upstream, self.say(), retries=2)
        self.assertEqual(self.tries(upstream), self.asked_when_told_not_to)

    @with_each_upstream
    def test_a_failure_that_is_soon_over_is_not_seen(self, upstream):
        for way, ask in self.ways():
            self.fails(upstream, fault="500", first=1)
            self.assertTrue(ask(upstream, self.say()).text, way)
            self.assertEqual(self.tries(upstream), 2, way)

    @with_each_upstream
    def test_a_cut_stream_raises(self, upstream):
        self.fails(upstream, fault="cut=8")
        with self.assertRaises(self.cut):
            self.streamed(upstream, self.say())

    @with_each_upstream
    def test_what_an_upstream_cannot_be_told_is_named(self, upstream):
        for row in DATA["refused"][self.caller]:
            for way, ask in self.ways():
                with self.subTest(row["field"], way=way):
                    if upstream not in row["by"]:
                        self.assertTrue(ask(upstream, self.say(body=row["body"])).id)
                        continue
                    with self.assertRaises(self.classes[400]) as raised:
                        ask(upstream, self.say(body=row["body"]))
                    told = self.told(raised.exception)
                    self.assertEqual((told.status, told.code), (400, "unsupported_by_target"))
                    self.assertEqual(told.field, row["field"])


def main():
    unittest.main(verbosity=2)
