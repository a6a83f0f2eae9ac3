import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentName, type KeptMessage, shardOf } from "../../../src/core/internal.ts";
import { openNatsLog } from "../../../src/nats/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";

const absence = natsAbsence();
const MiB = 1024 * 1024;
const mailbox = { type: "writer", key: "1" };
/** A mailbox takes 13 messages of 300 KiB, a type 54. */
const bounds = { maxMailboxBytes: 4 * MiB, maxMailBytes: 24 * MiB };
let server: NatsServer;
let names = 0;

type Log = Awaited<ReturnType<typeof openNatsLog>>;

function messageOf(id: string, bytes = 300 * 1024) {
  return { id, kind: "call", frame: new Uint8Array(bytes), sentAtMs: Date.now() } as const;
}

/** Reads a shard. Returns what it reads, and what it holds. */
async function readerOf(log: Log, shard: number, token = 1) {
  const read = new Inbox<KeptMessage>();
  const hold = await log.take(shard, token, { onMessage: (message) => read.put(message), onLost: () => undefined });
  return { read, hold };
}

/** Appends messages to a mailbox each until one is not kept. Returns their number and its outcome. */
async function filled(log: Log, mailboxes: Iterable<AgentName>) {
  let count = 0;
  for (const each of mailboxes) {
    const outcome = await log.append(each, messageOf(`${count}`));
    if (outcome !== "kept") return [count, outcome] as const;
    count += 1;
  }
  return [count, "kept"] as const;
}

function* always<T>(value: T) {
  for (;;) yield value;
}

/** Agents of the first shards. */
function* agentsOf(type: string, shards: number) {
  for (let key = 0; ; key += 1) {
    const agent = { type, key: `${key}` };
    if (shardOf(agent) < shards) yield agent;
  }
}

describe.skipIf(absence !== undefined)(`bytes of mail in NATS${absence === undefined ? "" : ` (${absence})`}`, () => {
  beforeAll(async () => {
    server = await NatsServer.start();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const open = (clusterName: string) => openNatsLog(server.url, { ...bounds, clusterName });
  const newName = () => {
    names += 1;
    return `bytes-${names}`;
  };

  it("a mailbox takes as many bytes as it may, and more when some of its messages were settled or it was emptied", async () => {
    await using log = await open(newName());
    const { read, hold } = await readerOf(log, shardOf(mailbox));
    expect(await filled(log, always(mailbox))).toEqual([13, "full"]);
    expect(await log.append({ ...mailbox, key: "2" }, messageOf("other"))).toBe("kept");
    expect(await hold.settle(await read.take())).toBe("settled");
    expect(await log.append(mailbox, messageOf("more"))).toBe("kept");
    expect(await log.append(mailbox, messageOf("too many"))).toBe("full");
    await log.empty(mailbox, await log.newest());
    expect(await log.append(mailbox, messageOf("after all"))).toBe("kept");
  });

  it("agents of one type have two thirds of the mail, and those of another type have room", async () => {
    await using log = await open(newName());
    for (const shard of [0, 1]) await readerOf(log, shard);
    expect(await filled(log, agentsOf("greedy", 2))).toEqual([54, "type-full"]);
    expect(await log.append({ type: "modest", key: "1" }, messageOf("1"))).toBe("kept");
  });

  it("messages keep their order while some wait until the bytes are looked at, and their bytes may be used again", async () => {
    await using log = await open(newName());
    const { read } = await readerOf(log, shardOf(mailbox));
    const shared = new Uint8Array(300 * 1024);
    const append = (at: number) => {
      shared[0] = at;
      return log.append(mailbox, { ...messageOf(`${at}`), frame: shared });
    };
    for (const at of [0, 1]) expect(await append(at)).toBe("kept");
    // From here on the process has appended so much that it looks first.
    const appends = Array.from({ length: 10 }, (_, at) => append(at + 2));
    expect(new Set(await Promise.all(appends))).toEqual(new Set(["kept"]));
    const kept = await read.takeMany(12);
    expect(kept.map(({ id, frame: [first] }) => [id, first])).toEqual(kept.map((_, at) => [`${at}`, at]));
  });

  it("a message that no empty mailbox takes is refused for good", async () => {
    await using log = await openNatsLog(server.url, { clusterName: newName(), maxMailboxBytes: 1_000 });
    await expect(log.append(mailbox, messageOf("1", 900))).rejects.toMatchObject({ storeCode: "too-large" });
    expect(await log.append(mailbox, messageOf("2", 500))).toBe("kept");
  });

  it("a process that reads no shard learns what their readers count, and the next reader counts what is there", async () => {
    const clusterName = newName();
    await using sender = await open(clusterName);
    await using first = await open(clusterName);
    await using second = await open(clusterName);
    const operator = await connect({ servers: server.url });
    const reports = new Inbox<{ readonly mailboxes: object; readonly types: Record<string, number> }>();
    operator.subscribe(`troupe.${clusterName}.hint`, {
      callback: (_, message) => reports.put(message.json<{ sizes: never }>().sizes),
    });
    await operator.flush();
    await readerOf(first, shardOf(mailbox));
    for (const id of Array.from({ length: 13 }, (_, at) => `${at}`)) await sender.append(mailbox, messageOf(id));
    const whole = 13 * 300 * 1024;
    /** Waits until a reader has told all of it, and the sender has heard it. */
    const told = async () => {
      for (;;) {
        const { types, mailboxes } = await reports.take();
        if (Object.keys(mailboxes).length === 0 || (types.writer ?? 0) < whole) continue;
        // What comes later on its connection comes behind the report.
        await operator.flush();
        await sender.newest();
        return types.writer;
      }
    };
    const { jetStreamBytes } = await streamOf(operator, clusterName);
    expect(await told()).toBe(jetStreamBytes);
    expect(await sender.append(mailbox, messageOf("13"))).toBe("full");
    // Another host takes the shard over.
    await first[Symbol.asyncDispose]();
    const { read, hold } = await readerOf(second, shardOf(mailbox), 2);
    expect(await told()).toBe(jetStreamBytes);
    expect(await sender.append(mailbox, messageOf("14"))).toBe("full");
    await hold.settle(await read.take());
    while ((await sender.append(mailbox, messageOf("15"))) !== "kept") await reports.take();
    await operator.close();
  });
});

async function streamOf(operator: Awaited<ReturnType<typeof connect>>, clusterName: string) {
  const answer = await operator.request(`$JS.API.STREAM.INFO.TROUPE_${clusterName}_MAIL_0`);
  const { state } = answer.json<{ state: { bytes: number } }>();
  return { jetStreamBytes: state.bytes };
}
