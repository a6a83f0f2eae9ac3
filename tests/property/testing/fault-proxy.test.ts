import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SocketPair } from "../../integration/testing/socket-pair.ts";

const seeds = fc.integer({ min: 0, max: 1_000_000 });
const chunks = fc.array(fc.string({ minLength: 1, maxLength: 400, unit: "grapheme-ascii" }), { maxLength: 12 });
const short = { maxFaults: 4, withinBytes: 2_000, maxLastsMs: 15 };

describe("whatever a seed does to a connection", () => {
  test("delays, slow lines and stalls change no byte of it", async () => {
    const randomFaults = { ...short, kinds: ["delay", "stall"] } as const;
    await fc.assert(
      fc.asyncProperty(seeds, chunks, chunks, async (seed, there, back) => {
        await using pair = await SocketPair.start({ seed, randomFaults });
        const [client, target] = await pair.open();
        for (const chunk of there) client.send(chunk);
        for (const chunk of back) target.send(chunk);
        client.socket.end();
        target.socket.end();
        expect(await Promise.all([client.ended, target.ended])).toEqual(["end", "end"]);
        expect(target.text).toBe(there.join(""));
        expect(client.text).toBe(back.join(""));
      }),
      { numRuns: 40 },
    );
  });

  test("closes and half-closes leave a beginning of what was sent, and then the end", async () => {
    const randomFaults = { ...short, kinds: ["close", "half-close", "delay", "stall"] } as const;
    await fc.assert(
      fc.asyncProperty(seeds, chunks, chunks, async (seed, there, back) => {
        await using pair = await SocketPair.start({ seed, randomFaults });
        const [client, target] = await pair.open();
        for (const chunk of there) client.send(chunk);
        for (const chunk of back) target.send(chunk);
        client.socket.end();
        target.socket.end();
        expect(await Promise.all([client.ended, target.ended])).toEqual(["end", "end"]);
        expect(there.join("").startsWith(target.text)).toBe(true);
        expect(back.join("").startsWith(client.text)).toBe(true);
        const { bytesToTarget, bytesToClient } = pair.proxy.counters();
        expect([bytesToTarget, bytesToClient]).toEqual([target.length, client.length]);
      }),
      { numRuns: 40 },
    );
  });
});
