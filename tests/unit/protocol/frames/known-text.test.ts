import fc from "fast-check";
import { expect, it } from "vitest";
// The memory of names is inside the room: users see the messages read with it.
import { knownTextAt } from "../../../../src/protocol/frames/known-text.ts";

it("reads every ASCII text of moderate length as the decoder does, even if two share a slot", () => {
  const ascii = fc.string({
    unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)),
    maxLength: 60,
  });
  fc.assert(
    fc.property(fc.array(ascii, { maxLength: 40 }), (texts) => {
      for (const text of [...texts, ...texts]) {
        const bytes = new TextEncoder().encode(`-${text}-`);
        const read = knownTextAt(bytes, 1, bytes.length - 1);
        if (text.length <= 48) expect(read).toBe(text);
        else expect(read).toBeUndefined();
      }
    }),
  );
});

it("leaves texts beyond ASCII to the decoder", () => {
  const bytes = new TextEncoder().encode("grüße");
  expect(knownTextAt(bytes, 0, bytes.length)).toBeUndefined();
  expect(knownTextAt(Uint8Array.of(0xff), 0, 1)).toBeUndefined();
});
