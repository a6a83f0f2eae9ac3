import { z } from "zod";
import { defineMessage, type MessageOf } from "../../src/core/index.ts";

const Saying = defineMessage("Saying", z.object({ text: z.string() }));
const sayings = new Map<string, MessageOf<typeof Saying>>();

/** A message that is told by its text: the same object for the same text, so that `===` and `toBe` compare in process. */
export function say(text: string): MessageOf<typeof Saying> {
  const saying = sayings.get(text) ?? Saying({ text });
  sayings.set(text, saying);
  return saying;
}
