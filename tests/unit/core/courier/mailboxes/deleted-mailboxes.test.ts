import { describe, expect, test } from "vitest";
import { type ErrorCode, TroupeError } from "../../../../../src/core/index.ts";
import type { AgentName } from "../../../../../src/core/internal.ts";
import { MemoryStateStore } from "../../../../../src/storage/index.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";
import { Gate } from "../../../../support/gate.ts";
import { handled, Lab, startMs, turn } from "../courier-lab.ts";

const agent: AgentName = { type: "a", key: "x" };

function failed(code: ErrorCode, more: { readonly isFinal?: boolean } = {}) {
  return { at: "failed", error: Object.assign(new TroupeError(code, "it fails"), more) } as const;
}

describe("a message that is told to an agent after its state was deleted", () => {
  test("does not wait for the next attempt of one from before, and has all of its own attempts", async () => {
    const lab = await Lab.started();
    await lab.keep("x", "before");
    (await lab.calls.take()).end(failed("handler-failed"));
    await turn();
    await lab.commit({ agent, write: { at: "delete" } });
    await lab.keep("x", "after");
    const call = await lab.calls.take();
    expect([call.id, call.attempt]).toEqual(["after", 1]);
    call.end(handled);
    await turn();
    lab.clock.advance(600_000);
    await turn();
    expect(lab.calls.rest).toEqual([]);
  });

  test("is delivered though one from before becomes a dead letter meanwhile", async () => {
    const clock = new ManualClock(startMs);
    const memory = new MemoryStateStore({ clock });
    const [begun, mayEnd] = [new Gate(), new Gate()];
    const bury = memory.log.bury.bind(memory.log);
    memory.log.bury = async (...letter) => {
      begun.open();
      await mayEnd.opened;
      return bury(...letter);
    };
    const lab = await Lab.started({ clock, memory });
    await lab.keep("x", "before");
    (await lab.calls.take()).end(failed("handler-failed", { isFinal: true }));
    await begun.opened;
    await lab.commit({ agent, write: { at: "delete" } });
    await lab.keep("x", "after");
    mayEnd.open();
    const call = await lab.calls.take();
    expect([call.id, call.attempt]).toEqual(["after", 1]);
    call.end(handled);
    await lab.until(() => !lab.busy);
    expect((await memory.mail({ limit: 10 })).map(({ id }) => id)).toEqual([]);
  });
});
