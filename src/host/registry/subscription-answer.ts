import { Buffer } from "node:buffer";
import { encodeGetSubscriptionsResponse, type WireSubscription } from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { limits } from "../limits.ts";

/** Writes a GetSubscriptions answer so that nobody else waits for the end of a long one. */
export function writeSubscriptions(subscriptions: readonly WireSubscription[], lots: BatchRunner): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    lots.add(writing(subscriptions, resolve, reject));
  });
}

function* writing(
  subscriptions: readonly WireSubscription[],
  resolve: (answer: Uint8Array) => void,
  reject: (error: unknown) => void,
): Iterable<() => void> {
  const parts: Uint8Array[] = [];
  const { listedAtOnce } = limits;
  for (let at = 0; at < subscriptions.length; at += listedAtOnce) {
    yield () => {
      try {
        parts.push(encodeGetSubscriptionsResponse(subscriptions.slice(at, at + listedAtOnce)));
      } catch (error) {
        reject(error);
      }
    };
  }
  resolve(Buffer.concat(parts));
}
