import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  handlerTable,
  RoutedAgent,
  type Run,
  SingleThreadedAgentRuntime,
} from "../../../src/core/index.ts";

const Line = defineMessage("ReadLine", z.object({ at: z.number() }));
const Poem = defineMessage("ReadPoem", z.object({ lines: z.number() }));
const Ask = defineMessage("ReadAsk", z.object({ pauses: z.array(z.number()) }), { answer: Poem, chunk: Line });
const poet = new AgentId("poet", "k");

async function rounds(count: number): Promise<void> {
  for (let round = 0; round < count; round += 1) await new Promise((resolve) => setImmediate(resolve));
}

class Poet extends RoutedAgent {
  static override readonly handlers = handlerTable<Poet>().rpc(Ask, async function* ({ pauses }) {
    for (const [at, pause] of pauses.entries()) {
      await rounds(pause);
      yield Line({ at });
    }
    return Poem({ lines: pauses.length });
  });
}

/** A reader: when it begins, its first offset as a part of all, and after how many chunks each of its readings is cut. */
interface Reader {
  readonly delay: number;
  readonly part: number;
  readonly cuts: readonly number[];
}

const reader = fc.record({
  delay: fc.nat(6),
  part: fc.nat(100),
  cuts: fc.array(fc.nat(4), { maxLength: 5 }),
});
const pauses = fc.array(fc.nat(2), { minLength: 0, maxLength: 20 });

type AskRun = Run<{ readonly at: number }, { readonly lines: number }>;

/** Reads from an offset to the end of the run, and begins anew after each cut where it was cut. */
async function readWithCuts(run: AskRun, from: number, cuts: readonly number[]): Promise<readonly string[]> {
  const seen: string[] = [];
  let next = from;
  for (const most of [...cuts, Number.POSITIVE_INFINITY]) {
    let left = most;
    const chunks = run.read({ from: next })[Symbol.asyncIterator]();
    while (left > 0) {
      const step = await chunks.next();
      if (step.done === true) return [...seen, `end ${step.value.lines}`];
      seen.push(`${step.value.offset} ${step.value.chunk.at}`);
      next = step.value.offset + 1;
      left -= 1;
    }
    await chunks.return?.();
  }
  return seen;
}

test("any readers of a run, from any offsets and with any cuts, read the same chunks once and the same end", async () => {
  await fc.assert(
    fc.asyncProperty(pauses, fc.array(reader, { minLength: 1, maxLength: 4 }), async (lines, readers) => {
      await using runtime = new SingleThreadedAgentRuntime();
      await Poet.register(runtime, "poet", () => new Poet("a poet"));
      await runtime.start();
      const run = await runtime.startRun(Ask({ pauses: lines }), poet);
      const read = async ({ delay, part, cuts }: Reader) => {
        await rounds(delay);
        // An offset that is not there yet is refused.
        const { next } = await run.status();
        const from = Math.floor((part * next) / 100);
        return { from, seen: await readWithCuts(run, from, cuts) };
      };
      const all = lines.map((_pause, at) => `${at} ${at}`);
      for (const { from, seen } of await Promise.all(readers.map(read))) {
        expect(seen).toEqual([...all.slice(from), `end ${lines.length}`]);
      }
    }),
    { numRuns: 60 },
  );
});
