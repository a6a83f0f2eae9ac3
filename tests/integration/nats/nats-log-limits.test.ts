import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type KeptMessage, type StoreError, shardOf } from "../../../src/core/internal.ts";
import { openNatsLog } from "../../../src/nats/index.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const absence = natsAbsence();
const mailbox = { type: "writer", key: "1" };
const maxMailBytes = 32 * 1024 * 1024;

function later<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolveIt) => {
    resolve = resolveIt;
  });
  return { promise, resolve };
}

function messageOf(id: string, bytes = 10) {
  return { id, kind: "call", frame: new Uint8Array(bytes), sentAtMs: 1 } as const;
}

describe.skipIf(absence !== undefined)(`mail in NATS${absence === undefined ? "" : ` (${absence})`}`, () => {
  it("longer than the servers take is refused with the option that raises it", async () => {
    await using server = await NatsServer.start();
    await using log = await openNatsLog(server.url, { maxMailBytes });
    expect(await log.append(mailbox, messageOf("short", 1024 * 1024 - 1_000))).toBe("kept");
    await expect(log.append(mailbox, messageOf("long", 1024 * 1024))).rejects.toMatchObject({
      ...{ storeCode: "too-large", code: "message-too-large", message: expect.stringContaining("Raise max_payload") },
    });
  });

  it("beyond the bytes of all mailboxes is refused as full, and taken when some was settled", async () => {
    await using server = await NatsServer.start();
    await using log = await openNatsLog(server.url, { maxMailBytes: 1024 * 1024 });
    const frame = 300 * 1024;
    for (const id of ["1", "2", "3"]) expect(await log.append(mailbox, messageOf(id, frame))).toBe("kept");
    const refused = log.append({ type: "b", key: "2" }, messageOf("4", frame));
    await expect(refused).rejects.toMatchObject({ storeCode: "full", message: expect.stringContaining("--max-bytes") });
    const first = later<KeptMessage>();
    const hold = await log.take(shardOf(mailbox), 1, { onMessage: first.resolve, onLost: () => undefined });
    expect(await hold.settle(await first.promise)).toBe("settled");
    expect(await log.append({ type: "b", key: "2" }, messageOf("4", frame))).toBe("kept");
  });

  it("has less space than it should where the servers have less, and the log says so", async () => {
    await using server = await NatsServer.start(["jetstream { store_dir: data, max_file_store: 900MB }"]);
    const logger = new RecordingLogger();
    await using log = await openNatsLog(server.url, { logger });
    expect(await log.append(mailbox, messageOf("1"))).toBe("kept");
    expect(logger.texts("warn")).toContain("NATS has less space for a stream of the cluster than it should have");
  });

  it("that the servers have lost ends its readers, and new mail is kept", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using log = await openNatsLog(server.url, { maxMailBytes, logger });
    await log.append(mailbox, messageOf("1"));
    const lost = later<StoreError>();
    const hold = await log.take(shardOf(mailbox), 1, { onMessage: () => undefined, onLost: lost.resolve });
    await server.kill();
    rmSync(server.dataFolder, { recursive: true });
    await server.restart();
    expect((await lost.promise).storeCode).toBe("unavailable");
    expect(logger.texts("error")).toContain("NATS has lost the mail of the cluster; its streams were made anew");
    // Its place may be that of another message.
    expect(await hold.settle({ ...messageOf("1"), mailbox, place: 1, priorTakeovers: 0 })).toBe("lost");
    expect(await log.append(mailbox, messageOf("2"))).toBe("kept");
  });

  it("that the servers have lost ends the readers of each host, whichever makes the streams anew", async () => {
    await using server = await NatsServer.start();
    await using one = await openNatsLog(server.url, { maxMailBytes });
    await using two = await openNatsLog(server.url, { maxMailBytes });
    const others = Array.from({ length: 100 }, (_, at) => ({ type: "writer", key: `k${at}` }));
    const other = others.find((each) => shardOf(each) !== shardOf(mailbox)) ?? mailbox;
    for (const id of ["1", "2", "3"]) await one.append(mailbox, messageOf(id));
    await one.append(other, messageOf("4"));
    const lost = [later<StoreError>(), later<StoreError>()] as const;
    await one.take(shardOf(mailbox), 1, { onMessage: () => undefined, onLost: lost[0].resolve });
    await two.take(shardOf(other), 1, { onMessage: () => undefined, onLost: lost[1].resolve });
    await server.kill();
    rmSync(server.dataFolder, { recursive: true });
    await server.restart();
    for (const each of lost) expect((await each.promise).storeCode).toBe("unavailable");
  });

  it("whose streams an operator deletes is kept again, in new ones", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using log = await openNatsLog(server.url, { maxMailBytes, logger });
    const { connect } = await import("@nats-io/transport-node");
    const operator = await connect({ servers: server.url });
    expect(await log.append(mailbox, messageOf("1"))).toBe("kept");
    for (const stream of ["MAIL_0", "DEAD"]) await operator.request(`$JS.API.STREAM.DELETE.TROUPE_troupe_${stream}`);
    expect(await log.append(mailbox, messageOf("2"))).toBe("kept");
    const text = "NATS has lost the mail of the cluster; its streams were made anew";
    while (!logger.texts("error").includes(text)) await log.append(mailbox, messageOf("2"));
    await operator.close();
  });

  it("of another program in the stream keeps back no message behind it", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using log = await openNatsLog(server.url, { maxMailBytes, logger });
    const { connect } = await import("@nats-io/transport-node");
    const other = await connect({ servers: server.url });
    await other.request(`troupe.troupe.mail.${shardOf(mailbox)}.writer.forged`, "no message of Troupe's");
    await other.close();
    await log.append(mailbox, messageOf("1"));
    const got = later<string>();
    await log.take(shardOf(mailbox), 1, { onMessage: ({ id }) => got.resolve(id), onLost: () => undefined });
    expect(await got.promise).toBe("1");
    expect(logger.texts("error").join()).toContain("is none of Troupe's");
  });
});
