import { describe, expect, it } from "vitest";
import { emptyMessage, method } from "../../../src/protocol/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { everyCall as calls, calledAsW as options } from "../../support/every-call.ts";
import { hostTransports } from "../../support/host-transports.ts";

describe.each(hostTransports)("a call of a worker that may not join, over $name", ({ start }) => {
  it.each(calls)("%s is refused with the status of the authorize option (H23)", async (name, refusal) => {
    const asked: string[] = [];
    const status = { code: StatusCode.unauthenticated, details: "who are you?" };
    await using rig = await start({
      authorize: (call) => {
        asked.push(call.method);
        return status;
      },
    });
    expect(await refusal(rig.dial())).toEqual(status);
    expect(asked).toEqual([name.slice(name.lastIndexOf("/") + 1)]);
    expect(rig.host.counters()).toMatchObject({ channels: 0, controlChannels: 0, agentTypes: 0, subscriptions: 0 });
  });

  it.each(calls)("%s is refused while the host is ending (H21)", async (_name, refusal) => {
    await using rig = await start();
    const link = rig.dial();
    await link.unary(method.getSubscriptions, emptyMessage, options);
    await rig.host.servicer.drain(1_000, Promise.resolve());
    expect(await refusal(link)).toEqual({ code: StatusCode.unavailable, details: "Host is shutting down." });
  });
});
