import { z } from "zod";
import { defineMessage } from "../../../src/core/index.ts";

/** The twin of the Python dataclass `MyMessage: content: str` of protocol.md §4.5. */
export const MyMessage = defineMessage("MyMessage", z.object({ content: z.string() }));
export const Reply = defineMessage("Reply", z.object({ content: z.string() }));
export const Ask = defineMessage("Ask", z.object({ content: z.string() }), { answer: Reply });
