import { expect, test } from "vitest";
import { z } from "zod";
import {
  AgentId,
  defineMessage,
  defineState,
  handlerTable,
  type MessageContext,
  persistentAgent,
  RoutedAgent,
} from "../../../src/core/index.ts";
import { Host } from "../../../src/host/index.ts";
import { decodeFrame, metadataKey } from "../../../src/protocol/internal.ts";
import { createMemoryNetwork, type Dialer, type StreamReceiver } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Waver = defineMessage("WithdrawnWaver", z.object({}));
const Look = defineMessage("WithdrawnLook", z.object({}));
const Due = defineMessage("WithdrawnDue", z.object({}));
const Wavers = defineState(z.object({ count: z.number() }), { initial: { count: 0 } });

/** Links on which the host's notices that a call was given up come too late: after the test. `lateCount`: how many they are. */
function withoutCancels(dialer: Dialer): Dialer & { readonly lateCount: () => number } {
  let late = 0;
  const lossy = (receiver: StreamReceiver): StreamReceiver => ({
    onMetadata: (metadata) => receiver.onMetadata?.(metadata),
    onFrame: (frame) => {
      if (decodeFrame(frame).kind === "cancel") late += 1;
      else receiver.onFrame(frame);
    },
    onHalfClose: () => receiver.onHalfClose(),
    onBadFrame: (...frame) => receiver.onBadFrame(...frame),
    onDrain: () => receiver.onDrain(),
    onEnd: (end) => receiver.onEnd(end),
    onLate: (messages) => receiver.onLate?.(messages),
  });
  return {
    lateCount: () => late,
    dial: (address) => {
      const link = dialer.dial(address);
      return {
        ready: (options) => link.ready(options),
        unary: (...call) => link.unary(...call),
        openStream: (method, receiver, options) =>
          link.openStream(method, method === "OpenChannel" ? lossy(receiver) : receiver, options),
        close: () => link.close(),
        leaving: link.leaving,
        closed: link.closed,
      };
    },
  };
}

test("a tick that waits for its turn does not begin when that turn's commit has cancelled its reminder, however late the host says so", async () => {
  const network = createMemoryNetwork();
  const dialer = withoutCancels(network);
  await using host = new Host({ listener: network, address: "127.0.0.1:0" });
  await host.start();
  const ticks: string[] = [];
  class Order extends persistentAgent(Wavers) {
    static override readonly handlers = handlerTable<Order>()
      .rpc(Waver, async function () {
        await this.remindMe("payment", { after: 0 }, Due({}));
        await this.saveNow();
        // The call of the tick is with the worker beside the one of the test.
        await expect.poll(() => host.counters().pendingCalls, { interval: 1 }).toBe(2);
        await this.cancelReminder("payment");
      })
      .rpc(Due, (_, { reminder }) => {
        ticks.push(reminder?.name ?? "");
      })
      .rpc(Look, () => undefined);
  }
  await using worker = new WorkerRuntime({ dialer, address: host.address, logger: new RecordingLogger() });
  await worker.start();
  await Order.register(worker, "order", () => new Order("wavers"));
  const order = new AgentId("order", "7");
  await worker.sendMessage(Waver({}), order);
  await worker.sendMessage(Look({}), order);
  expect([ticks, dialer.lateCount()]).toEqual([[], 1]);
});

/** Links on which ticks wait until the test lets them go. `held`: how many wait. */
function withLateTicks(dialer: Dialer): Dialer & { readonly held: () => number; readonly letGo: () => void } {
  const held: (() => void)[] = [];
  const late = (receiver: StreamReceiver): StreamReceiver => ({
    onMetadata: (metadata) => receiver.onMetadata?.(metadata),
    onFrame: (bytes) => {
      const frame = decodeFrame(bytes);
      // The host's notice that it withdraws a tick comes first, on the side stream.
      if (frame.kind === "request" && metadataKey.reminder in frame.metadata) held.push(() => receiver.onFrame(bytes));
      else receiver.onFrame(bytes);
    },
    onHalfClose: () => receiver.onHalfClose(),
    onBadFrame: (...frame) => receiver.onBadFrame(...frame),
    onDrain: () => receiver.onDrain(),
    onEnd: (end) => receiver.onEnd(end),
    onLate: (messages) => receiver.onLate?.(messages),
  });
  return {
    held: () => held.length,
    letGo: () => {
      for (const go of held.splice(0)) go();
    },
    dial: (address) => {
      const link = dialer.dial(address);
      return {
        ready: (options) => link.ready(options),
        unary: (...call) => link.unary(...call),
        openStream: (method, receiver, options) =>
          link.openStream(method, method === "OpenChannel" ? late(receiver) : receiver, options),
        close: () => link.close(),
        leaving: link.leaving,
        closed: link.closed,
      };
    },
  };
}

const Plan = defineMessage("WithdrawnSet", z.object({}));
const Cancel = defineMessage("WithdrawnCancel", z.object({ again: z.boolean() }));

/** Agents that keep a state and agents that keep none, each with a handler for its ticks. */
function orderOf(kind: string, ticks: string[]) {
  const due = (_: unknown, { reminder }: MessageContext) => {
    ticks.push(reminder?.name ?? "");
  };
  if (kind === "without a state") {
    return class Order extends RoutedAgent {
      static override readonly handlers = handlerTable<Order>()
        .rpc(Plan, function () {
          return this.remindMe("payment", { after: 0 }, Due({}));
        })
        .rpc(Cancel, async function ({ again }) {
          await this.cancelReminder("payment");
          if (again) await this.remindMe("payment", { after: 0 }, Due({}));
        })
        .rpc(Due, due);
    };
  }
  const options = kind === "readOnly" ? { readOnly: true, interleaves: true } : {};
  return class Order extends persistentAgent(Wavers) {
    static override readonly handlers = handlerTable<Order>()
      .rpc(Plan, function () {
        return this.remindMe("payment", { after: 0 }, Due({}));
      })
      .rpc(Cancel, async function ({ again }) {
        await this.cancelReminder("payment");
        if (again) await this.remindMe("payment", { after: 0 }, Due({}));
      })
      .rpc(Due, due, options);
  };
}

test.each(["with a state", "without a state", "readOnly"])(
  "a tick that reaches the worker after its reminder was cancelled does not begin: an agent %s",
  async (kind) => {
    const network = createMemoryNetwork();
    const dialer = withLateTicks(network);
    await using host = new Host({ listener: network, address: "127.0.0.1:0" });
    await host.start();
    const ticks: string[] = [];
    const Order = orderOf(kind, ticks);
    await using worker = new WorkerRuntime({ dialer, address: host.address, logger: new RecordingLogger() });
    await worker.start();
    await Order.register(worker, "order", () => new Order("wavers"));
    const order = new AgentId("order", "7");
    await worker.sendMessage(Plan({}), order);
    await expect.poll(() => dialer.held(), { interval: 1 }).toBe(1);
    await worker.sendMessage(Cancel({ again: false }), order);
    dialer.letGo();
    expect(ticks).toEqual([]);
    // One that is set again comes.
    await worker.sendMessage(Cancel({ again: true }), order);
    await expect.poll(() => dialer.held(), { interval: 1 }).toBe(1);
    dialer.letGo();
    await expect.poll(() => ticks, { interval: 1 }).toEqual(["payment"]);
  },
);
