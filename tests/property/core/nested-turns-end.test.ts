import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  BaseAgent,
  defineMessage,
  defineState,
  type MessageContext,
  persistentAgent,
  SingleThreadedAgentRuntime,
} from "../../../src/core/index.ts";
import { WatchedStore } from "../../support/watched-store.ts";

// A turn calls its own agent three times and ends without awaiting that. Whatever the order of microtasks: it must not be written while a
// turn runs that is nested in it.

const Run = defineMessage("Run", z.object({ part: z.string() }));
const List = defineState(z.object({ list: z.array(z.string()) }), { initial: { list: [] } });
const id = new AgentId("actor", "a");

interface Delays {
  readonly outer: number;
  readonly inner: number;
}

async function microtasks(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await undefined;
}

/** Returns what each commit has written. `fails`: the part that throws, if any. */
async function written({ outer, inner }: Delays, fails: string): Promise<string[]> {
  class Actor extends persistentAgent(List, BaseAgent) {
    protected override async onMessageImpl({ part }: { readonly part: string }, { scope }: MessageContext) {
      this.state.list.push(`${part} begins`);
      if (part === "outer") {
        for (const nested of ["one", "two", "three"]) {
          this.sendMessage(Run({ part: nested }), id, { scope }).catch(() => undefined);
        }
      }
      await microtasks(part === "outer" ? outer : inner);
      if (part === fails) throw new Error(`${part} failed`);
      this.state.list.push(`${part} ends`);
      return Run({ part });
    }
  }
  const store = new WatchedStore();
  const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  await using runtime = new SingleThreadedAgentRuntime({ stateStore: store, logger: silent });
  await runtime.start();
  await Actor.register(runtime, "actor", () => new Actor("acts"));
  await runtime.sendMessage(Run({ part: "outer" }), id).catch(() => undefined);
  await runtime.stopWhenIdle();
  return store.commits.flatMap(({ write }) => (write.at === "put" ? [new TextDecoder().decode(write.data)] : []));
}

test.each(["none", "one", "outer"])("no half of a nested turn is written, if %s fails", async (fails) => {
  for (let outer = 0; outer < 26; outer += 1) {
    for (let inner = 0; inner < 10; inner += 1) {
      for (const text of await written({ outer, inner }, fails)) {
        const { list } = JSON.parse(text) as { list: string[] };
        const open = ["one", "two", "three"].filter(
          (part) => list.includes(`${part} begins`) && !list.includes(`${part} ends`),
        );
        expect({ outer, inner, open }).toEqual({ outer, inner, open: [] });
      }
    }
  }
});
