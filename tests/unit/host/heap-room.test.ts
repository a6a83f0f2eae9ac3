import { describe, expect, it } from "vitest";
import { growthPercent, keepHeapRoom } from "../../../src/host/heap-room.ts";
import { NodeProgram } from "../../support/node-program.ts";

const mib = 2 ** 20;

describe("room in the heap", () => {
  it("is the same for a small heap and one that has grown", () => {
    for (const liveMib of [8, 16, 32, 64]) {
      expect((liveMib * growthPercent(64 * mib, liveMib * mib)) / 100).toBeCloseTo(64, 0);
    }
  });

  it("is V8's own choice where it would be little beside a large heap", () => {
    expect(growthPercent(64 * mib, 150 * mib)).toBe(0);
    expect(growthPercent(64 * mib, 100_000 * mib)).toBe(0);
  });

  it("never makes a tiny heap grow without end", () => {
    expect(growthPercent(64 * mib, 1)).toBe(1_000);
  });

  it("can be given back, also twice, by each who asked for it", () => {
    const [one, other] = [keepHeapRoom(), keepHeapRoom()];
    for (const giveBack of [one, one, other]) giveBack();
  });

  it.each([0, -1, Number.NaN])("can't be %d bytes", (bytes) => {
    expect(() => keepHeapRoom(bytes)).toThrow(/bytes/);
  });

  it("lets the process end that has it", async () => {
    await using program = new NodeProgram("tests/unit/host/programs/keeps-heap-room.ts");
    expect(await program.ended).toMatchObject({ code: 0, stdout: "kept\n", stderr: "" });
  });
});
