import { defineMessage } from "troupe";
import { z } from "zod";

export const Balance = defineMessage("Balance", z.object({ text: z.string(), version: z.string() }));
export const Pay = defineMessage("Pay", z.object({ cents: z.number() }), { answer: Balance });
