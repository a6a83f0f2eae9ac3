import { Host } from "troupe/host";
import { encodeAddSubscriptionRequest, encodeFrame, encodeRegisterAgentRequest } from "troupe/protocol";
import { createMemoryNetwork, type FrameStream, type Link } from "troupe/transport";

const payload = {
  typeName: "News",
  contentType: "application/json",
  data: Buffer.from(JSON.stringify({ content: "x".repeat(86) })),
};

/** Figures of one round, in milliseconds of processor time: other programs have the machine, too. */
export interface Round {
  readonly events: number;
  readonly msPerEvent: number;
  readonly longestMs: number;
}

interface FanParts {
  readonly host: Host;
  readonly links: readonly Link[];
  readonly publisher: FrameStream;
  readonly arrivals: { onEvent: () => void };
}

/** A host, workers that all share the same types with the subscription to the prefix "", and a publisher. */
export class Fan implements AsyncDisposable {
  readonly #host: Host;
  readonly #links: readonly Link[];
  readonly #publisher: FrameStream;
  readonly #arrivals: { onEvent: () => void };

  private constructor({ host, links, publisher, arrivals }: FanParts) {
    this.#host = host;
    this.#links = links;
    this.#publisher = publisher;
    this.#arrivals = arrivals;
  }

  static async open({ types, workers }: { readonly types: number; readonly workers: number }): Promise<Fan> {
    const network = createMemoryNetwork();
    const host = new Host({ listener: network, address: "127.0.0.1:0" }, { maxClaims: 1_000_000 });
    await host.start();
    const links: Link[] = [];
    const dial = (): Link => {
      const link = network.dial(host.address);
      links.push(link);
      return link;
    };
    const arrivals = { onEvent: () => {} };
    const open = (link: Link, clientId: string): FrameStream =>
      link.openStream(
        "OpenChannel",
        {
          onMetadata: () => {},
          onFrame: () => arrivals.onEvent(),
          onHalfClose: () => {},
          onBadFrame: () => {},
          onDrain: () => {},
          onEnd: () => {},
        },
        { metadata: { "client-id": clientId, agtroupe: "1", agcaps: "claims", agworker: `worker-${clientId}` } },
      );
    for (let at = 0; at < workers; at += 1) {
      const clientId = `client-${at}`;
      const link = dial();
      open(link, clientId);
      const metadata = { "client-id": clientId };
      for (let type = 0; type < types; type += 1) {
        const agentType = `type-${type}`;
        const register = encodeRegisterAgentRequest(agentType);
        await link.unary("RegisterAgent", register, { metadata: { ...metadata, agshared: "1" } });
        const id = `subscription-${type}`;
        const pattern = { kind: "prefix", topicTypePrefix: "", agentType } as const;
        const subscribe = encodeAddSubscriptionRequest({ id, pattern });
        await link.unary("AddSubscription", subscribe, { metadata });
      }
    }
    return new Fan({ host, links, publisher: open(dial(), "publisher"), arrivals });
  }

  /** Publishes one event after the other; each waits until the one before has reached its first worker. */
  async publish(keys: number, until: { readonly events?: number; readonly seconds?: number }): Promise<Round> {
    const frames = Array.from({ length: keys }, (_, key) => this.#event(`key-${key}`));
    const startedMs = processorMs();
    let [events, longestMs, nowMs] = [0, 0, startedMs];
    const endMs = startedMs + 1_000 * (until.seconds ?? Number.POSITIVE_INFINITY);
    while (events < (until.events ?? Number.POSITIVE_INFINITY) && nowMs < endMs) {
      const arrived = new Promise<void>((resolve) => {
        this.#arrivals.onEvent = resolve;
      });
      this.#publisher.send(frames[events % keys] ?? new Uint8Array());
      await arrived;
      const thenMs = processorMs();
      longestMs = Math.max(longestMs, thenMs - nowMs);
      nowMs = thenMs;
      events += 1;
    }
    return { events, msPerEvent: (nowMs - startedMs) / events, longestMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#links.map((link) => link.close()));
    await this.#host.stop({ graceMs: 0 });
  }

  #event(topicSource: string): Uint8Array {
    const id = "00000000-0000-4000-8000-000000000000";
    const sender = { type: "publisher", key: "1" };
    return encodeFrame({
      kind: "event",
      event: { id, topicType: "news", topicSource, sender, payload, attributes: {} },
    });
  }
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
