import { z } from "zod";
import { defineMessage, defineState } from "../../../src/core/index.ts";
import { Done } from "../messages.ts";

/** A call that only reads. */
export const Look = defineMessage("Look", z.object({ call: z.string() }), { answer: Done });
/** A told message. */
export const Note = defineMessage("Note", z.object({ told: z.string() }));
/** A reminder's message. */
export const Bell = defineMessage("Bell", z.object({ reminder: z.string() }));

/** What a persistent agent keeps: one line for each turn that counts, in order. */
export const Lines = defineState(z.object({ list: z.array(z.string()) }), { initial: { list: [] } });
