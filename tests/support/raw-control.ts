import { type ControlEnvelope, decodeControl, encodeControl } from "../../src/protocol/internal.ts";
import type { FrameStream, Link, StreamEnd } from "../../src/transport/index.ts";
import { Inbox } from "./inbox.ts";

/** A client's control channel that does only what a test says. */
export class RawControl {
  readonly ended: Promise<StreamEnd>;
  readonly stream: FrameStream;
  readonly #clientId: string;
  readonly #inbox = new Inbox<Uint8Array>();

  constructor(link: Link, clientId: string | undefined) {
    this.#clientId = clientId ?? "";
    let settle: (end: StreamEnd) => void = () => {};
    this.ended = new Promise((resolve) => {
      settle = resolve;
    });
    this.stream = link.openStream(
      "OpenControlChannel",
      {
        onFrame: (bytes) => this.#inbox.put(bytes),
        onHalfClose: () => {},
        onBadFrame: () => {},
        onDrain: () => {},
        onEnd: (end) => settle(end),
      },
      { metadata: clientId === undefined ? {} : { "client-id": clientId } },
    );
  }

  /** Opens one and waits until the host has it. */
  static async open(link: Link, clientId: string): Promise<RawControl> {
    const control = new RawControl(link, clientId);
    await control.settled();
    return control;
  }

  send(envelope: ControlEnvelope): void {
    this.stream.send(encodeControl(envelope));
  }

  async next(): Promise<ControlEnvelope> {
    return decodeControl(await this.nextBytes());
  }

  nextBytes(): Promise<Uint8Array> {
    return this.#inbox.take();
  }

  /** Everything sent so far is through the host; returns what arrived meanwhile. An envelope to itself comes back. */
  async settled(): Promise<readonly ControlEnvelope[]> {
    const destination = `clientid=${this.#clientId}`;
    this.send({ rpcId: "barrier", destination, respondTo: "", body: undefined });
    const envelopes: ControlEnvelope[] = [];
    for (let envelope = await this.next(); envelope.rpcId !== "barrier"; envelope = await this.next()) {
      envelopes.push(envelope);
    }
    return envelopes;
  }
}
