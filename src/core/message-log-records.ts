// protocol.md §5.11
/** Kind of a message in the message log, as Python prints it. */
export type MessageKind = "MessageKind.DIRECT" | "MessageKind.PUBLISH" | "MessageKind.RESPOND";
/** Stage of a message in the message log, as Python prints it. */
export type DeliveryStage = "DeliveryStage.SEND" | "DeliveryStage.DELIVER";

/** A record of the message log, with the key names of AutoGen. `payload` is empty unless the log has `withPayloads`. */
export type MessageLogRecord =
  | {
      readonly type: "Message";
      readonly payload: string;
      readonly sender: string | null;
      readonly receiver: string | null;
      readonly kind: MessageKind;
      readonly delivery_stage: DeliveryStage;
    }
  | {
      readonly type: "MessageDropped";
      readonly payload: string;
      readonly sender: string | null;
      readonly receiver: string | null;
      readonly kind: MessageKind;
    }
  | {
      readonly type: "MessageHandlerException";
      readonly payload: string;
      readonly handling_agent: string;
      readonly exception: string;
    }
  | { readonly type: "AgentConstructionException"; readonly agent_id: string; readonly exception: string };

/** Takes message-log records. Runtimes create no records without one. */
export interface MessageLogSink {
  emit(record: MessageLogRecord): void;
  // Off by default: protocol.md H24.
  /** Whether records hold the payload as JSON text. Otherwise `payload` is empty. */
  readonly withPayloads: boolean;
}
