/** The structured events of protocol.md §5.11; key names and enum texts as Python prints them. */
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

/** Takes structured events. Runtimes hold `RuntimeEventSink | undefined` and make no event when it is undefined. */
export interface RuntimeEventSink {
  emit(event: RuntimeEvent): void;
  /** Whether payloads are written as JSON text; otherwise `payload` is empty (off by default, protocol.md H24). */
  readonly withPayloads: boolean;
}
