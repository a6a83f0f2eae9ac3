/** What the peers in tests/interop/python say and understand, one JSON object per line. Their headers explain each. */

/** How a message is shown: its type's name and its fields; long texts and bytes are replaced by what identifies them. */
export interface ShownMessage {
  readonly type: string;
  readonly message: unknown;
}

interface ShownBytes {
  readonly bytes: number;
  readonly hex?: string;
  readonly sha256?: string;
  readonly start?: string;
}

type Metadata = readonly (readonly [key: string, value: string])[];
type CommandId = string | number;

/** The result of a team's run: `source: content` of each message. */
export interface TeamShown {
  readonly messages: readonly string[];
  readonly stop_reason: string;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
}

/** The fields of each event besides `event` and `t`. */
export interface PeerEvents {
  ready: {
    readonly role: "host" | "worker" | "raw";
    readonly generation: string;
    readonly autogen: string;
    readonly grpcio: string;
    readonly protobuf: string;
    readonly python: string;
    readonly pid: number;
    /** Hosts only. */
    readonly address?: string;
    readonly port?: number;
    /** Workers only; null in gen 1. */
    readonly clientId?: string | null;
  };
  failed: { readonly class: string; readonly text: string; readonly code?: string; readonly trace: string };
  log: {
    readonly level: string;
    readonly logger: string;
    readonly text: unknown;
    readonly exception: { readonly class: string; readonly text: string } | null;
  };
  error: { readonly id: CommandId | null; readonly class: string; readonly text: string; readonly code?: string };
  stopped: { readonly id: CommandId | null };
  done: { readonly id: CommandId | null; readonly released?: number; readonly subscriptionId?: string };
  state: { readonly id: CommandId | null; readonly [field: string]: unknown };

  // worker.py
  answer: { readonly id: CommandId } & ShownMessage;
  timeout: { readonly id: CommandId };
  published: { readonly id: CommandId };
  received: {
    readonly agent: string;
    readonly isRpc: boolean;
    readonly sender: string | null;
    readonly topic: string | null;
    readonly messageId: string;
  } & ShownMessage;
  unhandled: { readonly agent: string; readonly isRpc: boolean } & ShownMessage;
  returned: { readonly agent: string } & ShownMessage;
  /** With `notesSpans`. Links and parent are `<trace id>/<span id>`; the parent only if it is not the ambient one. */
  span: { readonly name: string; readonly links: readonly string[]; readonly parent: string | null };

  // state_store.py
  saved: { readonly id: CommandId; readonly fields: Readonly<Record<string, unknown>> };
  loaded: {
    readonly id: CommandId;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly state: { readonly agent: string; readonly eTag: string; readonly text: string | null };
  };

  // agentchat.py
  teams: { readonly id: CommandId; readonly results: readonly (readonly TeamShown[])[] };
  conditions: {
    readonly id: CommandId;
    readonly results: readonly ({ readonly at: number; readonly reason: string } | null)[];
  };

  // raw_grpc.py, as a client
  unary: {
    readonly id: CommandId;
    readonly code: string;
    readonly details: string;
    readonly initialMetadata: Metadata;
    readonly trailers: Metadata;
  } & Partial<ShownBytes>;
  opened: { readonly id: CommandId };
  headers: { readonly id: CommandId; readonly metadata: Metadata };
  frame: { readonly id: CommandId } & ShownBytes;
  closed: { readonly id: CommandId; readonly code: string; readonly details: string; readonly trailers: Metadata };
  written: { readonly id: CommandId; readonly ok: boolean; readonly class?: string; readonly text?: string };
  halfClosed: { readonly id: CommandId };
  cancelling: { readonly id: CommandId };
  disconnected: { readonly conn: string };

  // raw_grpc.py, as a server
  serving: { readonly id: CommandId | null; readonly address: string; readonly port: number };
  call: { readonly call: number; readonly method: string; readonly metadata: Metadata; readonly peer: string };
  request: { readonly call: number } & ShownBytes;
  callHalfClosed: { readonly call: number };
  callEnded: { readonly call: number; readonly how: "finished" | "cancelled" };
}

export type PeerEventName = keyof PeerEvents;

type AnyPeerEvent = {
  [N in PeerEventName]: { readonly event: N; readonly t: number } & PeerEvents[N];
}[PeerEventName];

/** One line a peer wrote. `t` is milliseconds since it started. */
export type PeerEvent<Name extends PeerEventName = PeerEventName> = Extract<AnyPeerEvent, { readonly event: Name }>;

/** A message as a test writes it; `{ fill: n }` as a field stands for n letters x. */
export interface MessageToSend {
  readonly type: string;
  readonly message: unknown;
}

export type SubscriptionPattern = { readonly topicType: string } | { readonly topicTypePrefix: string };

/** An agent of worker.py; the kinds are in agents.py, with the settings each reads. */
export interface PythonAgent {
  readonly kind:
    | "echo"
    | "pydantic-echo"
    | "failing"
    | "returns-none"
    | "returns-unregistered"
    | "held"
    | "slow"
    | "publishing"
    | "collector"
    | "protobuf-callee"
    | "nested"
    | "caller"
    | "broken-factory";
  readonly type: string;
  readonly subscriptions?: readonly SubscriptionPattern[];
  /** failing, broken-factory: the exception's text. */
  readonly text?: string;
  /** slow. */
  readonly delayMs?: number;
  /** nested, caller: the agent it calls. */
  readonly target?: string;
  /** publishing, caller: where it publishes. */
  readonly topicType?: string;
  /** publishing: default its own key. */
  readonly topicSource?: string;
  /** caller: what it sends instead of what it got. */
  readonly sends?: MessageToSend;
}

interface CallOptions {
  readonly metadata?: Metadata;
  readonly clientId?: string;
  readonly deadlineMs?: number;
  readonly gzip?: boolean;
  /** Names a further connection to the same address. */
  readonly conn?: string;
}

/** How raw_grpc.py answers the first message of a call by itself. */
export type ScriptedAnswer = { readonly hex: string } | { readonly code: string; readonly details?: string };

/** Every command; `id` is made up when it is left out. */
export type PeerCommand =
  | { readonly cmd: "state" }
  | { readonly cmd: "stop"; readonly graceSeconds?: number }
  // worker.py
  | ({
      readonly cmd: "send";
      readonly target: string;
      readonly sender?: string;
      readonly timeoutMs?: number;
    } & MessageToSend)
  | ({
      readonly cmd: "publish";
      readonly topic: string;
      readonly sender?: string;
      readonly messageId?: string;
      readonly count?: number;
    } & MessageToSend)
  | { readonly cmd: "register"; readonly agents: readonly PythonAgent[] }
  | ({ readonly cmd: "subscribe"; readonly agentType: string; readonly subscriptionId?: string } & SubscriptionPattern)
  | { readonly cmd: "unsubscribe"; readonly subscriptionId: string }
  | { readonly cmd: "release"; readonly agent: string; readonly prefix?: string; readonly count?: number }
  // state_store.py
  | { readonly cmd: "save"; readonly agent: string; readonly text: string; readonly eTag: string }
  | { readonly cmd: "load"; readonly agent: string }
  // agentchat.py
  | { readonly cmd: "teams"; readonly cases: readonly object[] }
  | { readonly cmd: "conditions"; readonly cases: readonly object[] }
  | { readonly cmd: "participate"; readonly host: string; readonly type: string; readonly lines: readonly object[] }
  | {
      readonly cmd: "lead";
      readonly host: string;
      readonly participants: Readonly<Record<string, readonly object[]>>;
      readonly remote: readonly string[];
      readonly maxTurns: number;
      readonly task: string;
    }
  // raw_grpc.py, as a client
  | ({ readonly cmd: "unary"; readonly address: string; readonly method: string; readonly hex: string } & CallOptions)
  | ({ readonly cmd: "open"; readonly address: string; readonly method?: string } & CallOptions)
  | { readonly cmd: "write"; readonly hex: string }
  | { readonly cmd: "halfClose" }
  | { readonly cmd: "cancel" }
  | { readonly cmd: "disconnect"; readonly conn: string }
  // raw_grpc.py, as a server
  | {
      readonly cmd: "serve";
      readonly address?: string;
      readonly auto?: Readonly<Record<string, ScriptedAnswer>>;
      /** Streams send no headers before their first message. */
      readonly silent?: boolean;
      readonly gzip?: boolean;
    }
  | { readonly cmd: "reply"; readonly call: number; readonly hex: string }
  | {
      readonly cmd: "finish";
      readonly call: number;
      readonly code?: string;
      readonly details?: string;
      readonly trailers?: Metadata;
    }
  | { readonly cmd: "stopServing"; readonly graceSeconds?: number };

export type CommandWithId = PeerCommand & { readonly id?: CommandId };
