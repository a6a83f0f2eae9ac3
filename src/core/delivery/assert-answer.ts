import type { AgentId } from "../agents/agent-id.ts";
import { TroupeError } from "../errors.ts";
import { messageTypeText } from "../serialization/message-index.ts";
import type { MessageType } from "../serialization/message-type.ts";

/** Throws `unexpected-answer` when the answer is not of the type that the call promises. A call may promise no type. */
export function assertAnswer(answer: unknown, promised: MessageType | undefined, recipient: AgentId): void {
  if (promised === undefined || promised.is(answer)) return;
  const isNothing = answer === undefined || answer === null;
  const cause = isNothing
    ? `answered with nothing where ${promised.typeName} was promised: it has no handler for the message, or one that returns nothing.`
    : `answered with ${messageTypeText(answer)} where ${promised.typeName} was promised. ` +
      "Return that type from the handler, or name the type that is returned as the answer.";
  throw new TroupeError("unexpected-answer", `${recipient} ${cause}`);
}
