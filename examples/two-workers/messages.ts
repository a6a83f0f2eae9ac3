import { defineMessage } from "troupe";
import { z } from "zod";

/** Message types of both workers. In a real project, teams share this file. */
export const Answer = defineMessage("Answer", z.object({ text: z.string() }));
export const Question = defineMessage("Question", z.object({ text: z.string() }), { answer: Answer });
