import { defineMessage } from "troupe";
import { z } from "zod";

export const Total = defineMessage("Total", z.object({ value: z.number() }));
export const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });
