// What every official SDK for Node.js has to get from every upstream: the scenarios, in words of no SDK. matrix_*.mjs say them in the
// words of one; the same in Python is in matrix.py. What both are told is in matrix.json.
//
// A caller has a `name` in matrix.json and, of an upstream and a request, `whole` and `streamed`, which answer
// {id, model, text, calls, finish, usage, raw}; `user` and `answered` make requests; `parsed` gives
// objects of the shape demanded, each with the turns that send it back;
// `classes` are those of its exceptions by status, `told` is what one says, and `cut` is the class of a broken stream.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

export const data = JSON.parse(readFileSync(new URL("matrix.json", import.meta.url)));
const { upstreams, tools } = data;
// Requests that are under way at once.
const many = 10;

export async function simulator(method, path, body) {
  const answer = await fetch(`${process.env.SIMULATOR_URL}/simulate/${path}`, { method, body: body && JSON.stringify(body) });
  return answer.json();
}

const provider = (upstream) => upstreams[upstream].split("/")[0];

async function fails(upstream, fault) {
  await simulator("PUT", "faults", [{ provider: provider(upstream), ...fault }]);
  await simulator("DELETE", "seen");
}

async function tries(upstream) {
  const { requests } = await simulator("GET", "seen");
  return requests.filter((one) => one.provider === provider(upstream)).length;
}

const same = ({ model, text, calls, finish, usage }) => ({ model, text, calls, finish, usage });

async function raised(call, kind) {
  const error = await call.then(
    () => assert.fail("nothing was raised"),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error}`);
  return error;
}

// Every scenario, for one caller and one upstream.
const scenarios = (caller, upstream) => {
  const say = (more) => ({ history: [caller.user(data.say)], cap: 512, ...more });
  const call = { history: [caller.user(data.call)], cap: 512, tools };
  const ways = [caller.whole, caller.streamed];
  return {
    "an answer is the same whole and streamed": async () => {
      const [whole, streamed] = [await caller.whole(upstream, say()), await caller.streamed(upstream, say())];
      assert.ok(whole.id && whole.text);
      assert.deepEqual([whole.model, whole.finish], [upstreams[upstream].split("/")[1], "stop"]);
      assert.ok(whole.usage.every((tokens) => tokens > 0));
      assert.deepEqual(same(streamed), same(whole));
      assert.notEqual(streamed.id, whole.id);
    },
    "the cap ends an answer": async () => {
      for (const ask of ways) {
        const said = await ask(upstream, say({ cap: 3 }));
        assert.deepEqual([said.finish, said.usage[1]], ["length", 3]);
      }
    },
    "two tools are called at once and their results taken": async () => {
      for (const ask of ways) {
        const said = await ask(upstream, call);
        assert.equal(said.finish, "tools");
        assert.deepEqual(
          said.calls.map(([name, given]) => [name, Object.keys(given).sort()]),
          tools.map((tool) => [tool.name, Object.keys(tool.schema.properties).sort()]),
        );
        const told = await ask(upstream, { ...call, history: caller.answered(call.history, said) });
        assert.ok(told.text);
        assert.deepEqual([told.finish, told.calls], ["stop", []]);
      }
      assert.deepEqual(same(await caller.streamed(upstream, call)), same(await caller.whole(upstream, call)));
    },
    "an answer has the shape that was demanded, and is taken back": async () => {
      for (const [place, turns] of await caller.parsed(upstream, say())) {
        assert.deepEqual([typeof place.city, typeof place.score], ["string", "number"]);
        const history = [...say().history, ...turns, caller.user(data.say)];
        assert.ok((await caller.whole(upstream, say({ history }))).text);
      }
    },
    "many are asked at once": async () => {
      const answers = await Promise.all(Array.from({ length: many }, () => caller.whole(upstream, say())));
      assert.equal(new Set(answers.map((said) => said.id)).size, many);
    },
    "a client that would repeat a request is told not to": async () => {
      await fails(upstream, { fault: "overloaded" });
      await assert.rejects(caller.whole(upstream, say(), { retries: 2 }));
      assert.equal(await tries(upstream), caller.askedWhenToldNotTo ?? 1);
    },
    "a failure that is soon over is not seen": async () => {
      for (const ask of ways) {
        await fails(upstream, { fault: "500", first: 1 });
        assert.ok((await ask(upstream, say())).text);
        assert.equal(await tries(upstream), 2);
      }
    },
    "every failure raises the exception of its status": async () => {
      for (const { fault, code, relayed, status: usual, told: others, tries: least } of data.faults) {
        const status = others?.[caller.name] ?? usual;
        for (const ask of ways) {
          await fails(upstream, { fault });
          const told = caller.told(await raised(ask(upstream, say()), caller.classes[status]));
          // Where both speak one dialect, the provider's own words come through.
          const said = relayed && upstream === caller.name ? told.code : code;
          assert.deepEqual([told.status, told.code], [status, said], fault);
          assert.equal(await tries(upstream), least, fault);
        }
      }
    },
    "a cut stream raises": async () => {
      await fails(upstream, { fault: "cut=8" });
      await raised(caller.streamed(upstream, say()), caller.cut);
    },
    "what it cannot be told is named": async () => {
      for (const { field, body, by } of data.refused[caller.name]) {
        if (!by.includes(upstream)) {
          await caller.whole(upstream, say({ body }));
          continue;
        }
        for (const ask of ways) {
          const told = caller.told(await raised(ask(upstream, say({ body })), caller.classes[400]));
          assert.deepEqual(told, { status: 400, code: "unsupported_by_target", field }, JSON.stringify(body));
        }
      }
    },
  };
};

export function run(caller) {
  after(() => simulator("DELETE", "faults"));
  for (const upstream of Object.keys(upstreams)) {
    for (const [name, scenario] of Object.entries(scenarios(caller, upstream))) {
      test(`${caller.name} to ${upstream}: ${name}`, async () => {
        await simulator("DELETE", "faults");
        await scenario();
      });
    }
  }
}
