import type { OffendingCall } from "../../integration/poison/offender.ts";
import { message } from "../../integration/poison/raw-http2.ts";
import { callFrame, errorOf } from "./frames.ts";

/** Calls that one client writes on its channel at once. */
export class CallFlood {
  /** Resolves when the host has taken all of them, or has ended the channel. */
  readonly taken: Promise<void>;
  /** Resolves when each of them has an outcome: an answer, or the end of the channel. */
  readonly settled: Promise<void>;

  constructor(channel: OffendingCall, calls: readonly Uint8Array[]) {
    const ended = channel.ended.then(() => undefined);
    // The host takes calls in their order, and refuses one for an unknown agent at once.
    const last = "last";
    let onLast = (): void => undefined;
    let onAll = (): void => undefined;
    this.taken = Promise.race([ended, new Promise<void>((resolve) => (onLast = resolve))]);
    this.settled = Promise.race([ended, new Promise<void>((resolve) => (onAll = resolve))]);
    const read = async (): Promise<never> => {
      for (let answers = 1; ; answers += 1) {
        if (errorOf(await channel.messages.take()).requestId === last) onLast();
        if (answers === calls.length + 1) onAll();
      }
    };
    void read();
    channel.stream.write(Buffer.concat([...calls, callFrame(last)].map((call) => message(call))));
  }
}
