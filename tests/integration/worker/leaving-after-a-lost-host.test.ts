import { expect, test } from "vitest";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { next } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { callTo, epochAt, leave, placingHost, roomsAt, settled, takeShort } from "../../support/worker/placing-host.ts";

test("an agent of a worker that stops and comes back to its host does not end while its handler runs", async () => {
  await using host = await placingHost();
  const [hostIsLost, mayEnd] = [new Gate(), new Gate()];
  const ends: string[] = [];
  class Room extends FunctionAgent {
    onDeactivate(reason: string): void {
      ends.push(reason);
    }
  }
  const factory = () =>
    new Room(async (_message, _context, { id, runtime }) => {
      await hostIsLost.opened;
      // For this the worker looks for its host again.
      await runtime.publishMessage(Ask({ content: "x" }), new TopicId("t", "s"), { sender: id });
      await mayEnd.opened;
      return Reply({ content: "done" });
    });
  const worker = { reconnect: { initialDelayMs: 1, maxDelayMs: 1 } };
  const { worker: stopping, channel } = await roomsAt(host, { worker, factory });
  await host.controls.take();
  channel.send(callTo("a", "h1"));
  await settled(channel);
  const stopped = stopping.stop();
  await host.kill();
  await channel.ended;
  await host.revive();
  hostIsLost.open();
  const newer = await host.channels.take();
  await next(newer, "event");
  // A worker that stops opens its control channel only to ask something itself.
  const asked = stopping.agentMetadata(new AgentId("elsewhere", "x")).catch(() => undefined);
  const control = await host.controls.take();
  await control.received.take();
  // Somebody asks for the end of the agent. The host still knows the claim of before.
  const body = { kind: "deactivate-request", agentId: { type: "room", key: "a" } } as const;
  control.send({ rpcId: "r1", destination: "agentid=room/a", respondTo: "clientid=x", body, epoch: epochAt(1) });
  expect(await takeShort(newer, 1)).toEqual(["ask-leave asked a"]);
  newer.send(leave(["a"], "asked"));
  // When the worker has refused this call, it has read the notice before it.
  newer.send(callTo("b", "h2"));
  expect(await takeShort(newer, 1)).toEqual(["answer h2 failed"]);
  expect(ends).toEqual([]);
  mayEnd.open();
  expect((await control.received.take()).body).toEqual({ kind: "deactivate-response", error: undefined });
  expect(ends).toEqual(["asked"]);
  await stopping.stop({ signal: AbortSignal.abort() });
  await Promise.all([stopped, asked]);
});
