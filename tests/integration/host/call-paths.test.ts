import { describe, expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { RawWorker } from "../../support/raw-worker.ts";

const metadata = { agpath: "h-1@a/k", mine: "kept" };

describe.each(hostTransports)("the path of a call through the host over $name", ({ start }) => {
  it("reaches a worker of Troupe's", async () => {
    await using rig = await start();
    const target = await new RawWorker(rig.dial(), "T", { isAnnounced: true }).join();
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    caller.request("1", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual(metadata);
  });

  it("does not reach a stock worker, also if the call has waited for its channel", async () => {
    await using rig = await start({ channelWaitMs: 10_000 });
    const target = new RawWorker(rig.dial(), "T");
    await target.register("echo");
    const caller = await new RawWorker(rig.dial(), "C", { isAnnounced: true }).join();
    caller.request("1", "echo/k", { metadata });
    await caller.settled();
    target.open();
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
    caller.request("2", "echo/k", { metadata });
    expect((await target.nextRequest()).metadata).toEqual({ mine: "kept" });
  });
});
