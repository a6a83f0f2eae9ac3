import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { TypeSubscription } from "../../../src/core/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import type { RecordingLogger } from "../../support/recording-logger.ts";
import { eventFrame, next, requestFrame, responseFrame } from "../../support/worker/frames.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { ScriptedHost } from "../../support/worker/scripted-host.ts";

/** Messages of a flood, and the lines that the log may have of it: 50, and one that says how many were left out. */
const flood = 2_000;
const mostLines = 51;
const mostBytes = 200_000;

const evil = "x\n2026-01-01 error all is lost\u001b[2J\u009b2J\u2028\u202e\u200b";
const forged = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

function sizeOf(logger: RecordingLogger) {
  const text = inspect(logger.lines, { depth: null, maxStringLength: null, maxArrayLength: null });
  return { lines: logger.lines.length, bytes: text.length };
}

/** Every text of a log: the lines, their fields, and the messages and stacks of errors. Line breaks of stacks are left out. */
function textsOf(logger: RecordingLogger): string[] {
  const texts: string[] = [];
  const add = (value: unknown): void => {
    if (typeof value === "string") texts.push(value);
    if (value instanceof Error) {
      texts.push(value.name, value.message, ...(value.stack ?? "").split("\n"));
      for (const line of (value.stack ?? "").split("\n").slice(1)) expect(line).toMatch(/^(\s|$)/);
      add(value.cause);
    }
  };
  for (const { text, fields } of logger.lines) {
    texts.push(text);
    for (const value of Object.values(fields ?? {})) add(value);
  }
  return texts;
}

async function started(onMessage: () => unknown) {
  const host = await new ScriptedHost().listen();
  host.endsChannels = true;
  const clock = new ManualClock();
  const [worker, channel] = await host.worker({ clock, keepAliveMs: 0 });
  worker.addMessageSerializer(MyMessage);
  await worker.registerFactory("a", () => new FunctionAgent(onMessage));
  await worker.addSubscription(new TypeSubscription("t", "a"));
  return { host, clock, worker, channel };
}

describe("a worker's log", () => {
  test("has 50 lines of a flood of events whose handler throws another error each time, and says how many it left out", async () => {
    let count = 0;
    const done = new Gate();
    const { host, clock, channel } = await started(() => {
      count += 1;
      if (count === flood) done.open();
      throw new Error(`failure ${count} ${"y".repeat(10_000)}`);
    });
    await using _host = host;
    for (let index = 0; index < flood; index += 1) channel.send(eventFrame("t/s"));
    await done.opened;
    channel.send(requestFrame("a/k"));
    await next(channel, "response");
    clock.advance(10_000);
    const { lines, bytes } = sizeOf(host.logger);
    expect(lines).toBeLessThanOrEqual(mostLines);
    expect(bytes).toBeLessThan(50 * 20_000);
    const repeated = host.logger.lines.at(-1);
    expect(repeated).toMatchObject({ level: "error", text: "A handler of a failed (repeated)" });
    expect(repeated?.fields?.times).toBeGreaterThanOrEqual(flood - 50);
  });

  test.each([
    ["bytes that are no message", () => Uint8Array.of(0xff, 0xff, 0xff)],
    ["messages without content", () => new Uint8Array(0)],
  ])("has 50 lines of a host that sends %s", async (_what, garbage) => {
    const { host, clock, channel } = await started(() => undefined);
    await using _host = host;
    for (let index = 0; index < flood; index += 1) channel.stream.send(garbage());
    channel.send(requestFrame("none/k"));
    await next(channel, "response");
    clock.advance(10_000);
    const { lines, bytes } = sizeOf(host.logger);
    expect(lines).toBe(mostLines);
    expect(bytes).toBeLessThan(mostBytes);
  });

  test("has 50 lines of a flood of calls to types that it does not serve and answers that it does not wait for", async () => {
    const { host, clock, channel } = await started(() => undefined);
    await using _host = host;
    for (let index = 0; index < flood; index += 1)
      channel.send(requestFrame(`none${index}/k`, { requestId: `r${index}` }));
    for (let index = 0; index < flood; index += 1) channel.send(responseFrame(`r${index}`));
    for (let index = 0; index < flood; index += 1) await next(channel, "response");
    channel.send(requestFrame("none/k", { requestId: "last" }));
    for (;;) if ((await next(channel, "response")).requestId === "last") break;
    clock.advance(10_000);
    const { lines, bytes } = sizeOf(host.logger);
    expect(lines).toBeLessThanOrEqual(2 * mostLines);
    expect(bytes).toBeLessThan(mostBytes);
  });

  test("has 50 lines of events that can't be read, whatever their topics are called", async () => {
    const { host, clock, channel } = await started(() => undefined);
    await using _host = host;
    const data = new TextEncoder().encode("password=hunter2");
    for (let index = 0; index < flood; index += 1) {
      const source = `${index}${"z".repeat(5_000)}`;
      channel.send(
        eventFrame(`t/${source}`, { payload: { typeName: "MyMessage", contentType: "application/json", data } }),
      );
    }
    channel.send(requestFrame("none/k"));
    await next(channel, "response");
    clock.advance(10_000);
    const { lines, bytes } = sizeOf(host.logger);
    expect(lines).toBe(mostLines);
    expect(bytes).toBeLessThan(50 * 20_000);
    expect(inspect(host.logger.lines, { depth: null })).not.toContain("hunter2");
  });

  test("has no line that an id, a type, an error or a stack of a peer forges", async () => {
    const done = new Gate();
    const { host, channel } = await started(() => {
      const error = new Error(evil);
      error.name = `Bad${evil}`;
      error.stack = `Error: ${evil}\n2026-01-01 error all is lost\n    at x (y.ts:1:1)`;
      done.open();
      throw error;
    });
    await using _host = host;
    channel.send(eventFrame(`t/${evil}`));
    await done.opened;
    const data = new TextEncoder().encode("1");
    channel.send(eventFrame(`t/${evil}`, { payload: { typeName: evil, contentType: evil, data } }));
    channel.send(requestFrame(`a/${evil}`, { payload: { typeName: evil, contentType: evil, data } }));
    await next(channel, "response");
    const texts = textsOf(host.logger);
    expect(texts.length).toBeGreaterThan(3);
    for (const text of texts) expect(text).not.toMatch(forged);
  });
});
