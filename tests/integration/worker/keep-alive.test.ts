import { describe, expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { createMemoryNetwork, type Dialer } from "../../../src/transport/index.ts";
import { next } from "../../support/worker/frames.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage, settled, until } from "../../support/worker/stage.ts";

/** A network whose host never answers a unary call from the moment that `fallSilent` was called: as a process that is stopped. */
function silenceable() {
  const network = createMemoryNetwork();
  const asked: string[] = [];
  let isSilent = false;
  const dialer: Dialer = {
    dial(address) {
      const link = network.dial(address);
      return {
        ready: (options) => link.ready(options),
        openStream: (...call) => link.openStream(...call),
        close: () => link.close(),
        leaving: link.leaving,
        closed: link.closed,
        unary(method, request, options) {
          asked.push(method);
          if (!isSilent) return link.unary(method, request, options);
          return new Promise((_, reject) =>
            options?.signal?.addEventListener("abort", () => reject(options.signal?.reason)),
          );
        },
      };
    },
  };
  const fallSilent = () => {
    isSilent = true;
  };
  return { network, dialer, asked, fallSilent };
}

async function openSilenceable(keepAliveMs?: number) {
  const { network, dialer, asked, fallSilent } = silenceable();
  const stage = await openStage({ dialer, keepAliveMs }, network);
  await stage.worker.start();
  // With nothing to register, the start asks for a sign of life.
  expect(asked.splice(0)).toHaveLength(1);
  return { ...stage, channel: await stage.host.channels.take(), asked, fallSilent };
}

const target = new AgentId("b", "k");

describe("a host that is silent", () => {
  test("is asked for a sign of life every 10 s, and any status will do", async () => {
    await using stage = await openSilenceable();
    for (let seconds = 0; seconds < 60; seconds += 10) {
      stage.clock.advance(10_000);
      await settled();
    }
    expect(stage.asked).toHaveLength(6);
    expect((await until(stage.worker, "connected")).clientId).toBe(stage.channel.clientId);
  });

  test("and gives none within 5 s is lost: calls are rejected, and the next host is looked for", async () => {
    await using stage = await openSilenceable();
    const { worker, clock, channel, fallSilent } = stage;
    fallSilent();
    const outcome = worker.sendMessage(MyMessage({ content: "q" }), target).catch((error: unknown) => error);
    await next(channel, "request");
    clock.advance(10_000);
    await settled();
    clock.advance(4_999);
    await settled();
    expect(worker.pendingCallsCount).toBe(1);
    clock.advance(1);
    expect(await outcome).toMatchObject({ code: "disconnected", message: expect.stringContaining("no sign of life") });
    await until(worker, "waiting");
    expect((await channel.ended).by).toBe("peer");
  });

  test("is not asked while its messages come", async () => {
    await using stage = await openSilenceable();
    for (let seconds = 0; seconds < 60; seconds += 5) {
      stage.clock.advance(5_000);
      stage.channel.send({ kind: "empty" });
      await settled();
    }
    expect(stage.asked).toEqual([]);
  });

  test("is never asked by option", async () => {
    await using stage = await openSilenceable(0);
    stage.clock.advance(600_000);
    await settled();
    expect(stage.asked).toEqual([]);
  });
});
