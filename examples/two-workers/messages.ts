import { defineMessage } from "troupe";
import { z } from "zod";

/** What both workers agree on. In a real project this file is what teams share. */
export const Answer = defineMessage("Answer", z.object({ text: z.string() }));
export const Question = defineMessage("Question", z.object({ text: z.string() }), { answer: Answer });
