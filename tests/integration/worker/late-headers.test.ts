import { expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineState, handlerTable, persistentAgent } from "../../../src/core/index.ts";
import { announcementOf, states } from "../../../src/protocol/internal.ts";
import { Gate } from "../../support/gate.ts";
import { FakeDialer, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { jsonPayload, requestFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { turns } from "../../support/worker/stage.ts";

const Count = defineState(z.object({ total: z.number() }), { initial: { total: 0 } });

class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Ask, function () {
    this.state.total += 1;
    return Reply({ content: String(this.state.total) });
  });
}

test("persistent agents go on while the headers of the host take long on the worker's next connection", async () => {
  const gate = new Gate();
  const headers = announcementOf(["turns", "claims", "states", "mail"]);
  const dialer = new FakeDialer({ headers, sendsHeaders: ({ number }) => number === 1 });
  await using stage = await openFakeStage(dialer, {}, async (worker) => {
    worker.addMessageSerializer([Ask, Reply]);
    // Its call keeps the older connection.
    await worker.registerFactory("slow", () => new FunctionAgent(() => gate.opened));
    await worker.registerFactory("counter", () => new Counter("counts"), { expectedClass: Counter });
  });
  await turns();
  const older = dialer.link(1);
  older.say(requestFrame("slow/a", { requestId: "h0", payload: jsonPayload("Ask", { content: "x" }) }));
  older.goAway();
  await turns();
  const newer = dialer.link(2);
  // A message whose way depends on what the host says waits for the headers.
  const told = stage.worker.tell(Ask({ content: "x" }), new AgentId("counter", "b")).catch((error: unknown) => error);
  await turns();
  stage.clock.advance(1_000);
  await turns();
  older.say(requestFrame("counter/a", { requestId: "h1", payload: jsonPayload("Ask", { content: "x" }) }));
  await turns();
  expect(older.sent.filter(({ kind }) => kind === "response")).toEqual([]);
  expect(newer.streams.map(({ method }) => method)).toContain(states.path);
  // A host that sends none for so long is another one.
  stage.clock.advance(29_000);
  expect(await told).toMatchObject({ code: "not-accessible" });
  gate.open();
});
