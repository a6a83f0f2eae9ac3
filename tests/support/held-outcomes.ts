import { method, states } from "../../src/protocol/internal.ts";
import type { Dialer, Link, StreamReceiver } from "../../src/transport/index.ts";

/** A dialer of a worker whose host's answers about states a test may hold up, while its other frames go on. */
export class HeldOutcomes implements Dialer {
  readonly #inner: Dialer;
  readonly #held: (() => void)[] = [];
  #framesLeft = 0;

  constructor(inner: Dialer) {
    this.#inner = inner;
  }

  /** From now on answers about states wait, until so many frames have come on the data channel. */
  holdFor(frames: number): void {
    this.#framesLeft = frames;
  }

  dial(address: string): Link {
    return new Proxy(this.#inner.dial(address), {
      get: (link, name) => {
        const value: unknown = Reflect.get(link, name, link);
        if (name !== "openStream") return typeof value === "function" ? value.bind(link) : value;
        const open: Link["openStream"] = (path, receiver, options) =>
          link.openStream(path, this.#receiver(path, receiver), options);
        return open;
      },
    });
  }

  #receiver(path: string, receiver: StreamReceiver): StreamReceiver {
    if (path === states.path) {
      const onFrame = (frame: Uint8Array) => {
        if (this.#framesLeft === 0) receiver.onFrame(frame);
        else this.#held.push(() => receiver.onFrame(frame));
      };
      return { ...receiver, onFrame };
    }
    if (path !== method.openChannel) return receiver;
    const onFrame = (frame: Uint8Array) => {
      receiver.onFrame(frame);
      if (this.#framesLeft === 0) return;
      this.#framesLeft -= 1;
      // The handler that the frame begins runs first.
      if (this.#framesLeft === 0) setImmediate(() => this.#release());
    };
    return { ...receiver, onFrame };
  }

  #release(): void {
    for (const go of this.#held.splice(0)) go();
  }
}
