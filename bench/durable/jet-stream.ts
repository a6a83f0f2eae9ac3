// A bare JetStream loop: `jet-stream sender|receiver SERVERS`. A work queue in files, one pull consumer, each message acknowledged. There are no agents
// and no order of their own.
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { Handling } from "./handling.ts";
import { content, nowMs } from "./messages.ts";
import { serveSending } from "./sending.ts";

const [role = "", servers = "", replicas = ""] = process.argv.slice(2);
const stream = "bench_loop";
const connection = await connect({ servers: servers.split(",") });
const streams = await firstOf(async () => await jetstreamManager(connection));
if (role === "receiver") {
  const wanted = {
    ...{ name: stream, subjects: ["bench.loop"], storage: StorageType.File, retention: RetentionPolicy.Workqueue },
    num_replicas: Number(replicas),
  };
  await firstOf(async () => await streams.streams.add(wanted));
  const durable = { durable_name: "loop", ack_policy: AckPolicy.Explicit, max_ack_pending: 2_048 };
  await firstOf(async () => await streams.consumers.add(stream, durable));
  const consumer = await jetstream(connection).consumers.get(stream, "loop");
  const messages = await consumer.consume({ max_messages: 1_024 });
  const handling = new Handling();
  void (async () => {
    for await (const message of messages) {
      handling.add(message.json<{ readonly sentMs: number }>().sentMs);
      message.ack();
    }
  })();
  await handling.serve();
} else {
  const client = jetstream(connection);
  await serveSending(() => client.publish("bench.loop", JSON.stringify({ sentMs: nowMs(), content })));
}

/** Servers that have just started may have no leader yet. */
async function firstOf<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === 60) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
