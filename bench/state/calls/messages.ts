import { defineMessage, defineState } from "troupe";
import { z } from "zod";

export const Total = defineMessage("Total", z.object({ value: z.number() }));
/** A call that changes the state of its agent. */
export const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
/** A call that reads the state of its agent. */
export const Look = defineMessage("Look", z.object({}), { answer: Total });

/** A state of some 512 bytes of JSON. */
export const Count = defineState(z.object({ total: z.number(), note: z.string() }), {
  initial: { total: 0, note: "x".repeat(480) },
});
