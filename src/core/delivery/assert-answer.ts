import type { AgentId } from "../agent-id.ts";
import { TroupeError } from "../errors.ts";
import type { MessageType } from "../serialization/message-type.ts";

/** Throws `unexpected-answer` unless the answer is of the type the caller was promised, if it was promised one. */
export function assertAnswer(answer: unknown, promised: MessageType | undefined, recipient: AgentId): void {
  if (promised === undefined || promised.is(answer)) return;
  throw new TroupeError(
    "unexpected-answer",
    `${recipient} answered with ${describe(answer)} where ${promised.typeName} was promised. ` +
      "Return that type from the handler, or name the type that is returned as the answer.",
  );
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  return typeof value === "object" ? value.constructor?.name || "an object" : `a ${typeof value}`;
}
