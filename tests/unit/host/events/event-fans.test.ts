import { describe, expect, it } from "vitest";
import { EventFans } from "../../../../src/host/events/event-fans.ts";
import { limits } from "../../../../src/host/limits.ts";
import { PlaceVersions } from "../../../../src/host/placement/place-versions.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import { TopicIndex } from "../../../../src/host/registry/subscriptions/topic-index.ts";
import { encodeFrame, type PeekedEvent, peekFrame } from "../../../../src/protocol/internal.ts";
import { peerOf } from "../../../support/placed-peer.ts";

function openFans() {
  const owners = new TypeTable();
  const topics = new TopicIndex();
  let generation = 1;
  const versions = new PlaceVersions(() => generation);
  const fans = new EventFans({ owners, topics, versions });
  const worker = peerOf("W", "worker's address");
  const keep = (key: string, address: string, bytes = 1_000): void => {
    const content = { clientIds: [], named: [{ peer: worker, names: new Uint8Array(bytes) }], sought: [], unnamed: 0 };
    fans.keep(eventFor(key), peerOf("P", address), fans.versionsOf(key), content);
  };
  const has = (key: string): boolean => fans.find(eventFor(key)) !== undefined;
  const reopen = (): void => {
    generation += 1;
  };
  return { owners, topics, versions, fans, worker, keep, has, reopen };
}

function eventFor(topicSource: string): PeekedEvent {
  const payload = { typeName: "T", contentType: "application/json", data: new Uint8Array() };
  const event = { id: "E", topicType: "news", topicSource, sender: undefined, payload, attributes: {} };
  const peeked = peekFrame(encodeFrame({ kind: "event", event }));
  if (peeked.kind !== "event") throw new Error(`a ${peeked.kind}`);
  return peeked;
}

describe("what a host remembers of events to many shared types", () => {
  it("takes no more bytes than its bound, and an address leaves space for the others", () => {
    const { fans, keep, has } = openFans();
    for (let at = 0; at < 40; at += 1) keep(`${at}`, "one", 1024 * 1024);
    expect(fans.byteLength).toBeLessThanOrEqual((limits.fanBytes * 3) / 4);
    // The oldest went first.
    expect([has("0"), has("39")]).toEqual([false, true]);
    keep("of another", "two", 1024 * 1024);
    expect([has("of another"), has("39")]).toEqual([true, true]);
    for (let at = 0; at < 40; at += 1) {
      keep(`again-${at}`, "one", 1024 * 1024);
      expect(fans.byteLength).toBeLessThanOrEqual(limits.fanBytes);
      expect(has("of another")).toBe(true);
    }
  });

  it("keeps no bytes in memory that it does not count", () => {
    const { fans, worker } = openFans();
    // Node makes short buffers as parts of one of 8 KiB.
    const names = Buffer.from("room-1=1.1.1");
    expect(names.buffer.byteLength).toBeGreaterThan(1_000);
    fans.keep(eventFor("k"), worker, fans.versionsOf("k"), {
      ...{ clientIds: [], named: [{ peer: worker, names }], sought: [], unnamed: 0 },
    });
    const [kept] = fans.find(eventFor("k"))?.named ?? [];
    expect([kept?.names.length, kept?.names.buffer.byteLength]).toEqual([names.length, names.length]);
  });

  it("lets those go first that were not used for longest, of the address that wants more", () => {
    const { keep, has, fans } = openFans();
    const ofOthers = Array.from({ length: 100 }, (_, at) => `of others ${at}`);
    for (const key of ofOthers) keep(key, "one");
    keep("used", "two", 1024 * 1024);
    keep("unused", "two", 1024 * 1024);
    for (let at = 0; at < 40; at += 1) {
      expect(has("used")).toBe(true);
      keep(`${at}`, "two", 1024 * 1024);
    }
    expect(fans.byteLength).toBeLessThanOrEqual(limits.fanBytes);
    expect([has("unused"), has("used"), has("39")]).toEqual([false, true, true]);
    expect(ofOthers.filter(has)).toEqual(ofOthers);
  });

  it("has nothing that is a quarter of the bound", () => {
    const { keep, has, fans } = openFans();
    keep("k", "one", limits.fanBytes / 4);
    expect([has("k"), fans.byteLength]).toEqual([false, 0]);
  });

  it("holds no worker that is gone", () => {
    const { keep, versions, fans } = openFans();
    keep("k", "one");
    expect(fans.byteLength).toBeGreaterThan(1_000);
    versions.changedAll();
    expect(fans.byteLength).toBe(0);
  });

  it("does not hold after any change of what it was made from", () => {
    const changes: ((fans: ReturnType<typeof openFans>) => void)[] = [
      ({ versions }) => versions.changed("k"),
      ({ topics }) => topics.add({ kind: "prefix", topicTypePrefix: "", agentType: "a" }),
      ({ topics }) => topics.remove({ kind: "prefix", topicTypePrefix: "", agentType: "a" }),
      ({ owners }) => owners.claim("a", "C"),
      ({ owners }) => owners.release("a", "C"),
      ({ reopen }) => reopen(),
    ];
    for (const change of changes) {
      const opened = openFans();
      opened.keep("k", "one");
      opened.versions.changed("of another agent");
      expect(opened.has("k")).toBe(true);
      change(opened);
      expect(opened.has("k")).toBe(false);
      expect(opened.fans.byteLength).toBe(0);
    }
  });

  it("is not made of what changed while it was made", () => {
    const { fans, versions, worker, has } = openFans();
    const made = fans.versionsOf("k");
    versions.changed("k");
    const content = { clientIds: [], named: [{ peer: worker, names: new Uint8Array(1) }], sought: [], unnamed: 0 };
    fans.keep(eventFor("k"), worker, made, content);
    expect(fans.byteLength).toBe(0);
    expect(has("k")).toBe(false);
  });
});
