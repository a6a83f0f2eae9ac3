import { z } from "zod";
import { defineMessage } from "../../src/core/index.ts";

/** The answer to a task. `token` is of the one run of the handler that gave it. */
export const Done = defineMessage("Done", z.object({ call: z.string(), by: z.string(), token: z.string() }));

/** A call; what its handler does stands in the plan, under the call's name. */
export const Task = defineMessage("Task", z.object({ call: z.string() }), { answer: Done });

/** A part of an answer: which run of a handler yields it, and its place there. */
export const Part = defineMessage("Part", z.object({ run: z.string(), n: z.number(), text: z.string() }));

/** A task whose answer comes in parts. */
export const Parts = defineMessage("Parts", z.object({ call: z.string() }), { answer: Done, chunk: Part });

/** A call of the world itself, to see whether somebody is well. */
export const Ping = defineMessage("Ping", z.object({}));

/** An event; who published it, when and where, stands in the ledger under its name. */
export const News = defineMessage("News", z.object({ event: z.string() }));
