import { protobufContentType } from "troupe";
import { errorText } from "../../../src/core/internal.ts";
import { type Generation, generations } from "./generations.ts";
import { MyMessage, protobufTypes, stringValue } from "./messages.ts";
import type { MessageToSend, PythonAgent, ShownMessage } from "./peer-protocol.ts";
import type { PythonPeer } from "./python-peer.ts";
import { callFrom, publishFrom, startPythonWorker } from "./python-peers.ts";
import { TypeScriptWorker } from "./typescript-worker.ts";

export type Encoding = "JSON" | "protobuf";

/** How a call ended for its caller: the answer, or what was raised. */
export type Outcome = ShownMessage | { readonly error: string };

/**
 * One language and release in a conversation: two workers, so that what it says to itself also crosses processes. The
 * first hosts what takes protobuf and sends JSON, the second the reverse; a Python runtime publishes in one format only.
 */
export interface Participant extends AsyncDisposable {
  readonly name: string;
  /** In agent types. */
  readonly id: string;
  /** Undefined for TypeScript, which knows the names of all generations. */
  readonly generation: Generation | undefined;
  call(encoding: Encoding, to: Participant, text: string): Promise<Outcome>;
  publish(encoding: Encoding, to: Participant, text: string): Promise<void>;
  /** What this participant's collector gets from another. */
  collected(encoding: Encoding, from: Participant): Promise<ShownMessage>;
}

export function jsonMessage(content: string): MessageToSend {
  return { type: "MyMessage", message: { content } };
}

export function protobufMessage(text: string): MessageToSend {
  return { type: "google.protobuf.StringValue", message: text };
}

const calleeOf = (to: Participant, encoding: Encoding, from: Participant) => `${to.id}.answers-${encoding}/${from.id}`;
const collectorOf = (to: Participant, encoding: Encoding, from: Participant) =>
  `${to.id}.collects-${encoding}/${from.id}`;
const topicOf = (to: Participant, encoding: Encoding, from: Participant) => `${to.id}-${encoding}/${from.id}`;

export function startPythonParticipant(generation: Generation, hostAddress: string): Promise<Participant> {
  return PythonParticipant.start(generation, hostAddress);
}

class PythonParticipant implements Participant {
  readonly name: string;
  readonly id: string;
  readonly generation: Generation;
  readonly #first: PythonPeer;
  readonly #second: PythonPeer;

  private constructor(generation: Generation, first: PythonPeer, second: PythonPeer) {
    this.generation = generation;
    this.name = `Python gen ${generation.number}`;
    this.id = generation.name;
    this.#first = first;
    this.#second = second;
  }

  static async start(generation: Generation, hostAddress: string): Promise<PythonParticipant> {
    const agents = (encoding: Encoding, kind: PythonAgent["kind"]): readonly PythonAgent[] => {
      const topicType = `${generation.name}-${encoding}`;
      return [
        { kind, type: `${generation.name}.answers-${encoding}` },
        { kind: "collector", type: `${generation.name}.collects-${encoding}`, subscriptions: [{ topicType }] },
      ];
    };
    const [first, second] = await Promise.all([
      startPythonWorker(generation, hostAddress, agents("protobuf", "protobuf-callee")),
      startPythonWorker(generation, hostAddress, agents("JSON", "echo"), { format: protobufContentType }),
    ]);
    return new PythonParticipant(generation, first, second);
  }

  async call(encoding: Encoding, to: Participant, text: string): Promise<Outcome> {
    const outcome = await callFrom(this.#sender(encoding), calleeOf(to, encoding, this), this.#message(encoding, text));
    switch (outcome.event) {
      case "answer":
        return { type: outcome.type, message: outcome.message };
      case "error":
        return { error: outcome.text };
      case "timeout":
        return { error: "no answer" };
    }
  }

  publish(encoding: Encoding, to: Participant, text: string): Promise<void> {
    return publishFrom(this.#sender(encoding), topicOf(to, encoding, this), this.#message(encoding, text));
  }

  async collected(encoding: Encoding, from: Participant): Promise<ShownMessage> {
    const collecting = encoding === "JSON" ? this.#second : this.#first;
    const { type, message } = await collecting.next("received", { agent: collectorOf(this, encoding, from) });
    return { type, message };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#first.kill(), this.#second.kill()]);
  }

  #sender(encoding: Encoding): PythonPeer {
    return encoding === "JSON" ? this.#first : this.#second;
  }

  #message(encoding: Encoding, text: string): MessageToSend {
    return encoding === "JSON" ? jsonMessage(text) : protobufMessage(text);
  }
}

export function startTypeScriptParticipant(hostAddress: string): Promise<Participant> {
  return TypeScriptParticipant.start(hostAddress);
}

class TypeScriptParticipant implements Participant {
  readonly name = "TypeScript";
  readonly id = "ts";
  readonly generation = undefined;
  readonly #first: TypeScriptWorker;
  readonly #second: TypeScriptWorker;
  /** As the second, for peers that know protobuf messages by short names. */
  readonly #shortNaming: TypeScriptWorker;

  private constructor(first: TypeScriptWorker, second: TypeScriptWorker, shortNaming: TypeScriptWorker) {
    this.#first = first;
    this.#second = second;
    this.#shortNaming = shortNaming;
  }

  static async start(hostAddress: string): Promise<TypeScriptParticipant> {
    const [first, second, shortNaming] = await Promise.all([
      TypeScriptWorker.start(hostAddress),
      TypeScriptWorker.start(hostAddress),
      TypeScriptWorker.start(hostAddress, { types: [MyMessage, ...protobufTypes(generations[0])] }),
    ]);
    await first.echo("ts.answers-protobuf");
    await first.collect("ts.collects-protobuf", "ts-protobuf");
    await second.echo("ts.answers-JSON");
    await second.collect("ts.collects-JSON", "ts-JSON");
    return new TypeScriptParticipant(first, second, shortNaming);
  }

  async call(encoding: Encoding, to: Participant, text: string): Promise<Outcome> {
    try {
      const sender = this.#sender(encoding, to);
      return await sender.callShown(calleeOf(to, encoding, this), this.#message(encoding, text));
    } catch (error) {
      return { error: errorText(error) };
    }
  }

  publish(encoding: Encoding, to: Participant, text: string): Promise<void> {
    return this.#sender(encoding, to).publish(topicOf(to, encoding, this), this.#message(encoding, text));
  }

  async collected(encoding: Encoding, from: Participant): Promise<ShownMessage> {
    const collecting = encoding === "JSON" ? this.#second : this.#first;
    const { type, message } = await collecting.received(collectorOf(this, encoding, from));
    return { type, message };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#first, this.#second, this.#shortNaming].map((worker) => worker[Symbol.asyncDispose]()));
  }

  #sender(encoding: Encoding, to: Participant): TypeScriptWorker {
    if (encoding === "JSON") return this.#first;
    return knowsShortNames(to) ? this.#shortNaming : this.#second;
  }

  #message(encoding: Encoding, text: string): object {
    return encoding === "JSON" ? MyMessage({ content: text }) : stringValue(text);
  }
}

export function knowsShortNames({ generation }: Participant): boolean {
  return generation !== undefined && generation.number < 3;
}
