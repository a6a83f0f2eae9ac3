import {
  decodeStatesAnswer,
  encodeFrame,
  encodeStatesAsk,
  type Frame,
  type StatesAnswer,
  type StatesAsk,
  states,
} from "../../src/protocol/internal.ts";
import type { FrameStream, Link, StreamEnd } from "../../src/transport/index.ts";
import { Inbox } from "./inbox.ts";
import { textPayload } from "./raw-worker.ts";

type Answer = Extract<StatesAnswer, { readonly outcome: unknown }>;
type Commit = Extract<StatesAsk, { readonly kind: "commit" }>;
type Failed = { readonly at: "failed"; readonly code: string; readonly text: string };

/** What a worker has to name to keep states at a host. */
export const namesStates = { isAnnounced: true, metadata: { agcaps: "heartbeat,states" } };

/** A worker's end of the stream of states, frame by frame as a test says. */
export class RawStates {
  readonly stream: FrameStream;
  readonly ended: Promise<StreamEnd>;
  readonly answers = new Inbox<StatesAnswer>();
  #seq = 0;

  constructor(link: Link, clientId: string) {
    let settle: (end: StreamEnd) => void = () => {};
    this.ended = new Promise((resolve) => {
      settle = resolve;
    });
    this.stream = link.openStream(
      states.path,
      {
        onFrame: (bytes) => this.answers.put(decodeStatesAnswer(bytes)),
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => {},
        onEnd: settle,
      },
      { metadata: { "client-id": clientId } },
    );
  }

  send(ask: StatesAsk): void {
    this.stream.send(encodeStatesAsk(ask));
  }

  /** Sends a commit to `type/key`; returns its number. By default it puts a state where nothing is stored. */
  commit(agent: string, parts: Partial<Commit> = {}): number {
    this.#seq += 1;
    this.send({ ...commitOf(this.#seq, agent), ...parts });
    return this.#seq;
  }

  load(agent: string, unless?: string): number {
    this.#seq += 1;
    this.send({ kind: "load", seq: this.#seq, agent: nameOf(agent), epoch: undefined, unless });
    return this.#seq;
  }

  ask(
    ask: { readonly kind: "reminders" } | { readonly kind: "remembered"; id: string; principal: string },
    agent: string,
  ): number {
    this.#seq += 1;
    this.send({ ...ask, seq: this.#seq, agent: nameOf(agent) });
    return this.#seq;
  }

  async next(): Promise<Answer> {
    const answer = await this.answers.take();
    if (!("outcome" in answer)) throw new Error(`expected an answer, got ${JSON.stringify(answer)}`);
    return answer;
  }

  async nextFailure(): Promise<Failed> {
    const { outcome } = await this.next();
    if (outcome.at !== "failed") throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
    return outcome;
  }
}

export function commitOf(seq: number, agent: string): Commit {
  return {
    ...{ kind: "commit", seq, agent: nameOf(agent), epoch: undefined, expected: { at: "nothing" } },
    write: {
      at: "put",
      schemaVersion: 1,
      contentType: "application/json",
      data: new TextEncoder().encode('{"total":1}'),
    },
    ...{ answers: [], events: [], mail: [], reminders: [], remembered: [], runs: [] },
  };
}

export function answerTo({ requestId }: { readonly requestId: string }, text: string): Uint8Array {
  return encodeFrame({ kind: "response", requestId, payload: textPayload(text), error: "", metadata: {} });
}

export function eventOn(topicType: string, id: string): Uint8Array {
  const parts = { topicSource: "default", sender: undefined, payload: textPayload(id), attributes: {} };
  const frame: Frame = { kind: "event", event: { id, topicType, ...parts } };
  return encodeFrame(frame);
}

function nameOf(agent: string): { type: string; key: string } {
  const [type = "", key = "default"] = agent.split("/");
  return { type, key };
}
