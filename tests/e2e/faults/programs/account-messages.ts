import { defineMessage } from "troupe";
import { z } from "zod";

/** What the agents of `account-worker.ts` know. */

/** Adds an entry to an account, which may tell it to its auditor and remind itself of it; the answer has its place among the account's entries, from 1. */
export const Added = defineMessage("Added", z.object({ place: z.number(), by: z.string() }));
export const Add = defineMessage(
  "Add",
  z.object({ entry: z.string(), tells: z.boolean(), remindsAfterMs: z.number() }),
  {
    answer: Added,
  },
);
/** Adds an entry in a turn that goes on until the worker's process gets SIGUSR2. */
export const AddSlowly = defineMessage("AddSlowly", z.object({ entry: z.string() }), { answer: Added });
/** An entry, told to the auditor of its account. */
export const Noted = defineMessage("Noted", z.object({ entry: z.string() }));
/** An entry, published to the watchers of its account. */
export const Changed = defineMessage("Changed", z.object({ entry: z.string() }));
/** A reminder of an entry. */
export const Due = defineMessage("Due", z.object({ entry: z.string() }));

/** Everything that an agent has written, in order; each line names the activation that wrote it: `entry@activation`. */
export const Lines = defineMessage("Lines", z.object({ lines: z.array(z.string()) }));
export const Read = defineMessage("Read", z.object({}), { answer: Lines });

export const topicType = "changes";
