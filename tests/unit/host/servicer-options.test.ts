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

test("sharedTypes takes names and beginnings of agent types, and refuses a name that no agent type can have", () => {
  expect(() => new HostServicer({ sharedTypes: ["writer", "editor*", "*"] })).not.toThrow();
  for (const name of ["a b", "", "wri*ter"]) {
    expect(() => new HostServicer({ sharedTypes: ["writer", name] })).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining(`The option sharedTypes has "${name}", which no agent type can have`),
      }),
    );
  }
});
