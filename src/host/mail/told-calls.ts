import {
  type AgentName,
  type Clock,
  isFullMail,
  isIdempotencyKey,
  type MakeId,
  storeLimits,
} from "../../core/internal.ts";
import {
  encodeFrame,
  encodeToldCall,
  idempotencyKeyOf,
  type PeekedRequest,
  requestIdText,
} from "../../protocol/internal.ts";
import { type CallFailure, callFailure, failureAnswer } from "../calls/call-failures.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { HeldStore } from "../held-store.ts";
import { whyInvalidAgentType } from "../registry/name-checks.ts";
import type { Peer } from "../sessions/peer.ts";
import type { HostCourier } from "./host-courier.ts";

export interface ToldCallsParts {
  readonly held: HeldStore;
  /** Undefined: this host keeps no mail. */
  readonly courier: HostCourier | undefined;
  /** Whether calls of AutoGen's workers to an agent type are kept. Undefined: of none. */
  readonly isDurableType: ((agentType: string) => boolean) | undefined;
  readonly clock: Clock;
  readonly makeId: MakeId;
  readonly counters: MutableHostCounters;
}

interface Told {
  readonly id: string;
  readonly receiver: AgentName;
  readonly frame: Uint8Array;
}

// protocol.md §4.5
const noneType = {
  ...{ typeName: "NoneType", contentType: "application/json" },
  data: new TextEncoder().encode("null"),
};
/** Memory of a call beside its bytes, while the store keeps it. */
const callBytes = 1_000;

// protocol.md §11.16
/** Keeps the calls that workers tell on their data channel, and answers each when it is kept: no handler has seen it then. */
export class ToldCalls {
  readonly #parts: ToldCallsParts;
  #isDraining = false;

  constructor(parts: ToldCallsParts) {
    this.#parts = parts;
  }

  /** Whether the host keeps a call: its worker asks for it, or a stock worker calls a durable type. .NET's workers can't read the answer. */
  isKept({ traits, dotnet }: Peer, { isTold, targetType }: PeekedRequest): boolean {
    const { courier, isDurableType } = this.#parts;
    // Of any other peer the key means nothing: its call is a call.
    if (traits.capabilities.has("mail")) return isTold;
    if (isDurableType === undefined || courier === undefined || dotnet !== undefined) return false;
    return targetType !== undefined && isDurableType(targetType);
  }

  /** Takes a call that is to be kept. */
  take(caller: Peer, request: PeekedRequest): void {
    const { counters } = this.#parts;
    counters.calls += 1;
    const requestId = requestIdText(request);
    const told = this.#read(request, caller);
    if ("errorType" in told) return this.#fail(caller, requestId, told);
    const bytes = told.frame.length + callBytes;
    if (!caller.account.take(bytes)) {
      return this.#fail(caller, requestId, callFailure.noRoom(caller.account.whyNot(bytes)));
    }
    void this.#keep(caller, requestId, told).finally(() => caller.account.release(bytes));
  }

  /** Refuses what comes from now on. */
  drain(): void {
    this.#isDraining = true;
  }

  #read(request: PeekedRequest, { traits, principal }: Peer): Told | CallFailure {
    const { targetType, targetKey } = request;
    if (this.#isDraining) return callFailure.shuttingDown();
    if (this.#parts.courier === undefined) return callFailure.notKept("This host keeps no messages.", "not-accessible");
    if (targetType === undefined) return callFailure.noTarget();
    const invalid = whyInvalidAgentType(targetType);
    if (invalid !== undefined) return callFailure.invalid(invalid);
    if (targetType.length > storeLimits.nameCharacters || targetKey.length > storeLimits.nameCharacters) {
      return callFailure.invalid(`Type and key of the target have at most ${storeLimits.nameCharacters} characters.`);
    }
    // Of a worker that knows mail each message has a name.
    const id = traits.capabilities.has("mail") ? idempotencyKeyOf(request) : this.#parts.makeId();
    if (!isIdempotencyKey(id)) {
      return callFailure.notKept("A told message needs an idempotencyKey of 1 to 256 characters.", "invalid-message");
    }
    return { id, receiver: { type: targetType, key: targetKey }, frame: encodeToldCall(request, id, principal) };
  }

  async #keep(caller: Peer, requestId: string, { id, receiver, frame }: Told): Promise<void> {
    const { held, courier, clock, counters } = this.#parts;
    let failure: CallFailure | undefined;
    try {
      await held.open();
      const outcome = await courier?.keep(receiver, { id, kind: "call", frame, sentAtMs: clock.wallNow() });
      if (isFullMail(outcome)) failure = callFailure.fullMailbox(receiver, outcome);
    } catch (error) {
      const { code, text } = held.failed(error, "a told message could not be kept", "unknown");
      failure = callFailure.notKept(text, code);
    }
    if (failure !== undefined) return this.#fail(caller, requestId, failure);
    counters.answers += 1;
    // A stock worker waits for a value of some type.
    const payload = caller.traits.capabilities.has("mail") ? undefined : noneType;
    caller.send(encodeFrame({ kind: "response", requestId, payload, error: "", metadata: {} }), "answer");
  }

  #fail(caller: Peer, requestId: string, failure: CallFailure): void {
    this.#parts.counters.failedCalls += 1;
    if (failure.code === "overloaded") this.#parts.counters.overloadedCalls += 1;
    caller.send(failureAnswer(requestId, failure, caller.traits.isAnnounced), "answer");
  }
}
