import { expect, it } from "vitest";
import { Host } from "../../../src/host/index.ts";
import { encodeFrame, method, serviceName } from "../../../src/protocol/internal.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { grpcListener } from "../../../src/transport/index.ts";
import { callHeaders, flag, frame, frameType, headerBlock, message, RawConnection } from "../poison/raw-http2.ts";

it.each([
  ["NO_ERROR", 0],
  ["CANCEL", 8],
])(
  "a channel that its client resets with %s while authorize thinks gives its place back at once",
  async (_what, code) => {
    let onAsked: () => void = () => {};
    const asked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const authorize = () => {
      onAsked();
      return new Promise<never>(() => {});
    };
    const clock = new ManualClock();
    const host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" }, { authorize, clock });
    await host.start();
    const client = await RawConnection.open(host.address);
    const opening = headerBlock(callHeaders(`/${serviceName}/${method.openChannel}`, "W"));
    const call = message(encodeFrame({ kind: "register-type", requestId: "1", agentType: "a" }));
    client.write(frame(frameType.headers, flag.endHeaders, 1, opening), frame(frameType.data, 0, 1, call));
    await asked;
    expect(await client.isAlive("before")).toBe(true);
    // Only the wait has a timer.
    expect(clock.pendingTimers).toBe(1);
    const reset = Buffer.alloc(4);
    reset.writeUInt32BE(code);
    client.write(frame(frameType.reset, 0, 1, reset));
    while (clock.pendingTimers > 0 || host.counters().transport.streams > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.destroy();
    await host.stop({ graceMs: 0 });
  },
);
