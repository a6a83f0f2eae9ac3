import type { AnswerOf, ChunkOf, ErrorCode, MessageOf, MessageType } from "../core/internal.ts";

/** A message as JSON has it: its fields, without the mark of its type. */
export type Plain<T> = T extends readonly (infer Item)[]
  ? readonly Plain<Item>[]
  : T extends object
    ? { readonly [Name in keyof T as Name extends string ? Name : never]: Plain<T[Name]> }
    : T;

/** The fields from which a message is made. */
export type FieldsOf<Type> = Type extends (fields: infer Fields) => unknown ? Fields : Plain<MessageOf<Type>>;

/** The answer to a message of the type, as a client gets it. */
export type ClientAnswer<Type extends MessageType> = Plain<AnswerOf<MessageOf<Type>>>;

/** A chunk of the answer to a message of the type, as a client gets it. */
export type ClientChunk<Type extends MessageType> = Plain<ChunkOf<MessageOf<Type>>>;

/** An event of a topic. */
export interface ClientEvent<Type extends MessageType = MessageType> {
  /** The name of its message type. */
  readonly type: Type["typeName"];
  readonly event: Plain<MessageOf<Type>>;
}

/** Options of `createClient`. */
export interface ClientOptions {
  /** The address of the gateway, such as `/api` or `https://agents.example.com`. */
  readonly url: string;
  /** Headers of each request, such as a token: an object, or a function that returns one or a promise of one. Default: none. */
  readonly headers?: Readonly<Record<string, string>> | (() => HeadersGiven | PromiseLike<HeadersGiven>) | undefined;
  /** Sends requests. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Milliseconds for which a reader tries to come back after its connection was lost. Default 120 000. */
  readonly retryMs?: number | undefined;
}

type HeadersGiven = Readonly<Record<string, string>>;

/** Options of what ends by a signal. */
export interface ClientSignalOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of a call. */
export interface ClientCallOptions extends ClientSignalOptions {
  /** Milliseconds until the gateway ends the call as `timed-out`. Default: as long as the gateway allows. */
  readonly timeoutMs?: number | undefined;
}

/** Options of the start of a run. */
export interface ClientRunOptions extends ClientCallOptions {
  /** Names the run. Default: a new id. Give the same one again to find the same run. */
  readonly id?: string | undefined;
}

/** Options of a subscription. */
export interface ClientSubscribeOptions extends ClientSignalOptions {
  /** Called each time the subscription is there, the first time too. What you load then misses no event that comes later. */
  readonly onConnect?: (() => void) | undefined;
  /** Called when the connection was lost and is there again. Events may have been missed. */
  readonly onReconnect?: (() => void) | undefined;
}

/** The present of a run. */
export interface ClientRunStatus {
  readonly status: "working" | "completed" | "failed" | "cancelled";
  /** The offset of the first chunk that is kept. */
  readonly first: number;
  /** The number of chunks so far. */
  readonly next: number;
}

/** A call whose answer comes in parts. Leaving the loop ends it. */
export interface ClientStream<Type extends MessageType> extends AsyncIterable<ClientChunk<Type>> {
  /** The answer. It is there when the loop has ended; without a loop it reads the stream by itself. */
  readonly answer: Promise<ClientAnswer<Type>>;
}

/** A run. Leaving the loop does not end it, and a lost connection does not end the loop. */
export interface ClientRun<Type extends MessageType> extends ClientStream<Type> {
  readonly id: string;
  status(): Promise<ClientRunStatus>;
  /** Ends the run for all of its readers. */
  cancel(): Promise<void>;
}

/** Reaches agents through a gateway. An agent is named `type/key`, a topic `type/source`. */
export interface Client {
  /** Calls an agent. Resolves to its answer, and to undefined for an answer without a value. */
  call<Type extends MessageType>(
    type: Type["typeName"],
    fields: FieldsOf<Type>,
    agent: string,
    options?: ClientCallOptions,
  ): Promise<ClientAnswer<Type>>;
  /** Calls an agent whose answer comes in parts. The call ends with the connection. */
  stream<Type extends MessageType>(
    type: Type["typeName"],
    fields: FieldsOf<Type>,
    agent: string,
    options?: ClientSignalOptions,
  ): ClientStream<Type>;
  /** Starts a run. It tries again when it got no answer: a run is started once. */
  run<Type extends MessageType>(
    type: Type["typeName"],
    fields: FieldsOf<Type>,
    agent: string,
    options?: ClientRunOptions,
  ): Promise<ClientRun<Type>>;
  /** Returns a run that was started before. It sends nothing. */
  attach<Type extends MessageType>(agent: string, id: string, options?: ClientSignalOptions): ClientRun<Type>;
  /** Reads the events of a topic until you leave the loop. It comes back by itself after a lost connection. */
  subscribe<Type extends MessageType>(
    topic: string,
    options?: ClientSubscribeOptions,
  ): AsyncIterable<ClientEvent<Type>>;
  /** Publishes an event. */
  publish<Type extends MessageType>(
    type: Type["typeName"],
    fields: FieldsOf<Type>,
    topic: string,
    options?: ClientSignalOptions,
  ): Promise<void>;
}

/** The codes of errors of a client: those of agents, as the gateway tells them. `disconnected`: the gateway can't be reached. */
export type ClientErrorCode = ErrorCode;
