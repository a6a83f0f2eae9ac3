import { expect, test } from "vitest";
import { LoadSpace } from "../../../../src/host/states/load-space.ts";

/** An account with so many free bytes. */
function accountOf(free: number) {
  return {
    free,
    take(bytes: number) {
      if (bytes > this.free) return false;
      this.free -= bytes;
      return true;
    },
    release(bytes: number) {
      this.free += bytes;
    },
    whyNot: () => "no memory",
  };
}

/** Asks for space, and notes the answer under a name. */
async function note(answers: string[], name: string, asked: Promise<string | undefined>): Promise<void> {
  answers.push(`${name}: ${(await asked) ?? "taken"}`);
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("large states take their space in the order in which they ask, and one that is over the bound has it alone", async () => {
  const account = accountOf(1_000);
  const space = new LoadSpace({ account, maxBytes: 100 });
  const answers: string[] = [];
  for (const [name, bytes] of [
    ["a", 60],
    ["b", 40],
    ["c", 500],
    ["d", 1],
  ] as const) {
    void note(answers, name, space.take(bytes));
  }
  await settled();
  expect(answers).toEqual(["a: taken", "b: taken"]);
  space.release(60);
  await settled();
  expect(answers).toHaveLength(2);
  space.release(40);
  await settled();
  expect(answers.slice(2)).toEqual(["c: taken"]);
  space.release(500);
  await settled();
  expect(answers.slice(3)).toEqual(["d: taken"]);
  space.release(1);
  expect(account.free).toBe(1_000);
});

test("a state for which the host has no memory is refused, and those behind it are not", async () => {
  const space = new LoadSpace({ account: accountOf(50), maxBytes: 100 });
  const answers: string[] = [];
  for (const [name, bytes] of [
    ["a", 90],
    ["b", 40],
  ] as const)
    void note(answers, name, space.take(bytes));
  await settled();
  expect(answers).toEqual(["a: no memory", "b: taken"]);
});

test("what waits for space is not read when the stream of its worker ends", async () => {
  const account = accountOf(1_000);
  const space = new LoadSpace({ account, maxBytes: 100 });
  const answers: string[] = [];
  for (const name of ["a", "b"]) void note(answers, name, space.take(100));
  await settled();
  space.end();
  await settled();
  expect(answers).toEqual(["a: taken", "b: The stream of the worker has ended."]);
  // The account of the stream is at its end, too.
  space.release(100);
  expect(account.free).toBe(900);
});
