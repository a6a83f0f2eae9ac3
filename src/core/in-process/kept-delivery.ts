import type { AgentRuntime } from "../agent-runtime.ts";
import type { Clock } from "../clock.ts";
import type { CourierDelivery, CourierOutcome } from "../courier/courier-call.ts";
import type { AgentCatalog } from "../delivery/activations/agent-catalog.ts";
import { HandlerContext } from "../delivery/handler-context.ts";
import { CancelledError, TroupeError, UndeliverableException } from "../errors.ts";
import { depthIn } from "../scope/chain-depth.ts";
import { deadlineAfter } from "../scope/deadline.ts";
import { type KeptEnvelope, LocalCall } from "./envelope.ts";
import type { KeptDelivery } from "./kept-messages.ts";
import type { MessagePump } from "./message-pump.ts";

/** The parts of a runtime that deliver what a courier sends. */
export interface KeptDeliveryParts {
  readonly runtime: AgentRuntime;
  readonly catalog: AgentCatalog;
  readonly pump: MessagePump;
  readonly clock: Clock;
  readonly handlerTimeoutMs: number;
}

/** Delivers a call of the courier to an agent of the runtime. */
export function deliverKept(delivery: KeptDelivery, parts: KeptDeliveryParts): CourierDelivery {
  const { recipient } = delivery;
  if (!parts.catalog.hasType(recipient.type)) {
    const text = `Recipient not found: no agent type ${recipient.type} is registered in this runtime. Register the type.`;
    const error = new UndeliverableException(text, { notHandled: true });
    return { outcome: Promise.resolve({ at: "failed", error }), withdraw: () => undefined };
  }
  const envelope = envelopeOf(delivery, parts);
  const { call, context } = envelope.send;
  parts.pump.push(envelope);
  let isWithdrawn = false;
  return {
    outcome: outcomeOf(call.promise, () => isWithdrawn),
    withdraw: () => {
      if (context.hasBegun) return;
      isWithdrawn = true;
      const error = new CancelledError("The message is not wanted any more.");
      context.abort(error);
      call.reject(error);
    },
  };
}

function envelopeOf(
  { message, recipient, sender, sentMetadata, topicId, call: { id, reminder } }: KeptDelivery,
  { runtime, catalog, pump, clock, handlerTimeoutMs: timeoutMs }: KeptDeliveryParts,
): KeptEnvelope {
  const deadline = deadlineAfter(timeoutMs, clock);
  const context = new HandlerContext({
    ...{
      sender,
      topicId,
      isRpc: topicId === undefined,
      messageId: id,
      agentId: recipient,
      runtime,
      sentMetadata,
      reminder,
    },
    ...{ deadline, isDeadlineWatched: true },
    // A reminder begins anew: nothing led to it but time.
    ...(reminder === undefined && { depth: depthIn(sentMetadata), isMail: true }),
  });
  const call = new LocalCall(context, message, pump);
  call.within({ signal: undefined, timeoutMs }, deadline, recipient);
  // A tick that is fired again has the id of the first, as mail has.
  const kept = catalog.keepsState(recipient.type) ? { id, principal: "", isMail: true } : undefined;
  return {
    kind: "kept",
    send: {
      ...{ kind: "send", agentId: recipient, message, context, link: sentMetadata, call, slot: 0 },
      ...{ promised: undefined, queue: undefined, kept },
    },
  };
}

async function outcomeOf(answer: Promise<unknown>, isWithdrawn: () => boolean): Promise<CourierOutcome> {
  try {
    await answer;
    return { at: "handled" };
  } catch (thrown) {
    return isWithdrawn() ? { at: "withdrawn" } : { at: "failed", error: TroupeError.from(thrown) };
  }
}
