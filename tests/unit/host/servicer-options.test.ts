import { expect, test } from "vitest";
import { systemClock } from "../../../src/core/internal.ts";
import { Host, HostServicer } from "../../../src/host/index.ts";
import { createMemoryNetwork } from "../../../src/transport/index.ts";

const parts = () => ({ listener: createMemoryNetwork(), address: "127.0.0.1:0", servicer: new HostServicer() });

test("options beside a servicer are refused, since the servicer has its own", () => {
  expect(() => new Host(parts(), { maxSessions: 1, callTimeoutMs: undefined })).toThrow(
    expect.objectContaining({
      code: "invalid-argument",
      message: expect.stringMatching(/maxSessions.*new HostServicer\(options\)/),
    }),
  );
});

test("a clock beside a servicer is taken, and so are options without a value", () => {
  expect(new Host(parts(), { clock: systemClock, maxSessions: undefined }).address).toBe("127.0.0.1:0");
});
