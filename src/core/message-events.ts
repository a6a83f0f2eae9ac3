// protocol.md §5.11
/** Kinds, stages and records of the message log, with key names and enum texts as Python prints them. */
export type MessageKind = "MessageKind.DIRECT" | "MessageKind.PUBLISH" | "MessageKind.RESPOND";
export type DeliveryStage = "DeliveryStage.SEND" | "DeliveryStage.DELIVER";

export type RuntimeEvent =
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
export interface RuntimeEventSink {
  emit(event: RuntimeEvent): void;
  // Off by default: protocol.md H24.
  /** Whether records hold the payload as JSON text. Otherwise `payload` is empty. */
  readonly withPayloads: boolean;
}
