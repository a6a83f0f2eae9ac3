import { AsyncResource } from "node:async_hooks";
import type { Delivery, DeliveryOwner, Dispatcher } from "../core/internal.ts";

/** Keeps the async context in which this module was loaded. It belongs to no caller and to no request. */
const atLoad = new AsyncResource("TroupeWorker");

const createScope = (): AsyncResource => new AsyncResource("TroupeMessage");

/**
 * Runs `body` in the async context in which this module was loaded. Each run has a scope of its own: what a handler sets with
 * `enterWith` does not reach the next one.
 */
export function inLoadContext<T>(body: () => T): T {
  return atLoad.runInAsyncScope(createScope).runInAsyncScope(body);
}

/**
 * Delivers a message in that context. The stream that a message comes by belongs to the code that started the worker, or to a
 * request that made it connect.
 */
export function deliverInLoadContext<D extends Delivery>(
  dispatcher: Dispatcher,
  delivery: D,
  owner: DeliveryOwner<D>,
): Promise<void> | undefined {
  const scope = atLoad.runInAsyncScope(createScope);
  return scope.runInAsyncScope(dispatcher.deliver<D>, dispatcher, delivery, owner);
}
