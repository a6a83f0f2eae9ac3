import { defineMessage } from "troupe";
import { z } from "zod";

/** A told message. `sentMs` is on the clock that all processes of the machine share. With its other fields it takes some 100 bytes of JSON. */
export const Told = defineMessage("Told", z.object({ sentMs: z.number(), content: z.string() }));

export const content = "x".repeat(60);

/** Recipients, in turn. Each has a mailbox of its own. */
export const recipients = 1_000;

/** The clock that all processes of the machine share. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
