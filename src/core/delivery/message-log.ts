import type { AgentId } from "../agents/agent-id.ts";
import { errorText } from "../errors.ts";
import type { DeliveryStage, MessageKind, MessageLogRecord, MessageLogSink } from "../message-log-records.ts";
import type { CodecRegistry } from "../serialization/codec-registry.ts";
import { jsonContentType } from "../serialization/message-type.ts";
import type { TopicId } from "../topics/topic-id.ts";

export interface LoggedMessage {
  readonly message: unknown;
  readonly sender: AgentId | undefined;
  readonly receiver: AgentId | TopicId | undefined;
}

// protocol.md §5.11
/** Writes the records of the message log. A runtime has one only if its options name a sink. */
export class MessageLog {
  readonly #sink: MessageLogSink;
  readonly #payloadText: (message: unknown) => string;

  /** `payloadText` returns a message's JSON. It is called only when the sink wants payloads. */
  constructor(sink: MessageLogSink, payloadText: (message: unknown) => string) {
    this.#sink = sink;
    this.#payloadText = payloadText;
  }

  message(kind: MessageKind, stage: DeliveryStage, logged: LoggedMessage): void {
    emitRecord(this.#sink, {
      type: "Message",
      payload: this.#payload(logged.message),
      sender: textOrNull(logged.sender),
      receiver: textOrNull(logged.receiver),
      kind,
      delivery_stage: stage,
    });
  }

  dropped(kind: MessageKind, logged: LoggedMessage): void {
    emitRecord(this.#sink, {
      type: "MessageDropped",
      payload: this.#payload(logged.message),
      sender: textOrNull(logged.sender),
      receiver: textOrNull(logged.receiver),
      kind,
    });
  }

  handlerException(message: unknown, handlingAgent: AgentId, error: unknown): void {
    emitRecord(this.#sink, {
      type: "MessageHandlerException",
      payload: this.#payload(message),
      handling_agent: handlingAgent.toString(),
      exception: errorText(error),
    });
  }

  #payload(message: unknown): string {
    return this.#sink.withPayloads ? this.#payloadText(message) : "";
  }
}

/** Writes a record. A sink that throws must not keep a message from its agent, or an outcome from its caller. */
export function emitRecord(sink: MessageLogSink, record: MessageLogRecord): void {
  try {
    sink.emit(record);
  } catch {
    // The runtime has no better place to say so than the sink.
  }
}

const decoder = new TextDecoder();

// protocol.md §5.10, §5.11
/** Returns a message's JSON for the message log and for spans, or Python's text if it has none. Never throws. */
export function payloadText(message: unknown, codecs: CodecRegistry): string {
  try {
    const { contentType, data } = codecs.encode(message, jsonContentType);
    if (contentType === jsonContentType) return decoder.decode(data);
  } catch {
    // The message is not declared or has no JSON. The text below says so.
  }
  return "Message could not be serialized";
}

function textOrNull(id: { toString(): string } | undefined): string | null {
  return id === undefined ? null : id.toString();
}
