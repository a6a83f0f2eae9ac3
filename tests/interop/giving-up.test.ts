import { CancelledError, ClosureAgent, TimedOutError } from "troupe";
import { describe, expect, test } from "vitest";
import { Gate } from "../support/gate.ts";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import type { TypeScriptWorker } from "./support/typescript-worker.ts";

/** An agent that answers nothing and tells why it was given up. */
async function hostPatient({ runtime }: TypeScriptWorker) {
  const patient = { begun: new Gate(), told: new Gate<unknown>() };
  await ClosureAgent.registerClosure(
    runtime,
    "patient",
    async (_agent, _message, { signal }) => {
      patient.begun.open();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      patient.told.open(signal.reason);
      throw signal.reason;
    },
    { types: [MyMessage] },
  );
  return patient;
}

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`calls given up beside ${generation.title}`, () => {
    test("a Python target serves on when its TypeScript callers abort or run out of time, and nothing of their calls is left", async () => {
      await using lab = await Laboratory.start(generation);
      const python = await lab.python([
        { kind: "held", type: "held" },
        { kind: "echo", type: "echo" },
      ]);
      const caller = await lab.typescript({ types: [MyMessage] });
      const aborting = new AbortController();
      const aborted = caller.call("held/k", MyMessage({ content: "x" }), { signal: aborting.signal });
      await python.next("received", { agent: "held/k" });
      aborting.abort();
      await expect(aborted).rejects.toBeInstanceOf(CancelledError);
      const late = caller.call("held/k", MyMessage({ content: "y" }), { timeoutMs: 100 });
      await expect(late).rejects.toBeInstanceOf(TimedOutError);
      python.send({ cmd: "release", agent: "held/k", prefix: "", count: 2 });
      expect(await caller.callShown("echo/k", MyMessage({ content: "on" }))).toMatchObject({ type: "MyMessage" });
      // The ends of the held calls came too late for their caller; nothing of them is left.
      expect(lab.host.counters()).toMatchObject({ pendingCalls: 0, strayAnswers: 0, badFrames: 0 });
    });

    test("a TypeScript target hears that its Python caller is gone, whatever ended it", async () => {
      await using lab = await Laboratory.start(generation);
      const patient = await hostPatient(await lab.typescript());
      const caller = await lab.python();
      caller.send({ cmd: "send", target: "patient/k", type: "MyMessage", message: { content: "x" } });
      await patient.begun.opened;
      await caller[Symbol.asyncDispose]();
      expect(await patient.told.opened).toMatchObject({ code: "caller-gone" });
    });

    test("a TypeScript target hears that the host's time for a Python caller's call is over", async () => {
      await using lab = await Laboratory.start(generation, { callTimeoutMs: 300 });
      const patient = await hostPatient(await lab.typescript());
      const caller = await lab.python();
      caller.send({ cmd: "send", target: "patient/k", type: "MyMessage", message: { content: "x" } });
      expect(await patient.told.opened).toMatchObject({ code: "timed-out" });
    });
  });
}
