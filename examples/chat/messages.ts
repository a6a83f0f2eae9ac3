import { defineMessage } from "troupe";
import { z } from "zod";

export const History = defineMessage("History", z.object({ worker: z.string(), lines: z.array(z.string()) }));
export const Say = defineMessage("Say", z.object({ who: z.string(), text: z.string() }), { answer: History });
