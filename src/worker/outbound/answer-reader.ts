import {
  type AgentId,
  answerUndecidedText,
  assertAnswer,
  type CodecRegistry,
  DropMessage,
  type InterventionChain,
  isRunMessageName,
  MessageDroppedException,
  type MessageLog,
  type MessageType,
} from "../../core/internal.ts";
import { fromWireError, isVoidPayload, type ResponseFrame } from "../../protocol/internal.ts";
import type { WorkerSettings } from "../worker-options.ts";
import { type Called, explained, withGatewayCode } from "./error-hints.ts";
import type { InterventionWaits } from "./intervention-waits.ts";
import type { TimedBounds } from "./timed-bounds.ts";
import { traced } from "./traced.ts";

export interface AnswerReaderOptions {
  readonly settings: Pick<WorkerSettings, "tracing">;
  readonly registry: CodecRegistry;
  readonly interventions: InterventionChain;
  readonly log: MessageLog | undefined;
  /** Waits for the interventions that see answers. */
  readonly waits: InterventionWaits;
}

/** A call that has its answer. */
export interface AnsweredCall extends Called {
  readonly sender: AgentId | undefined;
  /** The type that the message, or the caller, promises for the answer. */
  readonly promised: MessageType | undefined;
  readonly timed: TimedBounds;
}

/** Makes what a caller gets of the frame that answers its call: the answer, or an error with names and advice. */
export class AnswerReader {
  readonly #parts: AnswerReaderOptions;

  constructor(parts: AnswerReaderOptions) {
    this.#parts = parts;
  }

  /** Returns the answer, or a promise of it if a span or an intervention sees it. Throws what the frame says has gone wrong. */
  read(frame: ResponseFrame, call: AnsweredCall): unknown {
    const { settings, interventions } = this.#parts;
    if (settings.tracing === undefined && !interventions.seesResponse)
      return this.#checked(this.#open(frame, call), call);
    return this.#readSeen(frame, call);
  }

  #readSeen(frame: ResponseFrame, call: AnsweredCall): Promise<unknown> {
    const { settings, interventions, log, waits } = this.#parts;
    const { recipient, sender } = call;
    const details = {
      link: frame.metadata,
      messageType: frame.payload?.typeName,
      attributes: () => ({ request_id: frame.requestId }),
    };
    return traced(settings.tracing, "ack", details, async () => {
      const answer = this.#open(frame, call);
      // Those of a run see its answer when it is read.
      if (isRunMessageName(call.messageType)) return this.#checked(answer, call);
      const decided = interventions.onResponse(answer, { sender: recipient, recipient: sender });
      const wait = { ...call.timed, isBefore: false, timedOut: answerUndecidedText };
      const result = await waits.of(decided, wait);
      if (result !== DropMessage) return this.#checked(result, call);
      log?.dropped("MessageKind.RESPOND", { message: answer, sender: recipient, receiver: sender });
      throw new MessageDroppedException();
    });
  }

  #open({ error, metadata, payload }: ResponseFrame, call: AnsweredCall): unknown {
    if (error !== "") {
      const text = explained({ error, metadata }, call);
      // A text that was explained is a host's, or it names the agent.
      throw fromWireError(text, withGatewayCode(error, metadata), text === error ? call.recipient : undefined);
    }
    if (isVoidPayload(payload)) return undefined;
    return this.#parts.registry.decode(payload.typeName, payload.contentType, payload.data);
  }

  #checked(answer: unknown, { promised, recipient, sender }: AnsweredCall): unknown {
    assertAnswer(answer, promised, recipient);
    this.#parts.log?.message("MessageKind.RESPOND", "DeliveryStage.DELIVER", {
      message: answer,
      sender: recipient,
      receiver: sender,
    });
    return answer;
  }
}
