import { describe, expect, it } from "vitest";
import type { StoreEntry } from "../../../src/cluster/index.ts";
import { KnownRecords } from "../../../src/cluster/records/known-records.ts";

const read = ({ value }: StoreEntry) => (value.length === 0 ? undefined : new TextDecoder().decode(value));
const entryOf = (text: string, revision: number) => ({
  key: "worker.a",
  value: new TextEncoder().encode(text),
  revision,
});

describe("what a host knows of a record", () => {
  it("stays as it is when a late answer or a late watch brings an older revision", () => {
    let now = 0;
    const changes: string[] = [];
    const known = new KnownRecords({ read, now: () => now, onChange: ({ record }) => changes.push(record) });
    known.learn(entryOf("new", 7));
    now = 5;
    known.learn(entryOf("old", 6));
    known.learn(entryOf("again", 7));
    expect(known.get("worker.a")).toMatchObject({ record: "new", revision: 7, learntMs: 0 });
    expect(changes).toEqual(["new"]);
  });

  it("stays as it is when a newer value can't be read", () => {
    const known = new KnownRecords({ read, now: () => 0 });
    known.learn(entryOf("new", 7));
    known.learn(entryOf("", 8));
    expect(known.get("worker.a")?.record).toBe("new");
  });
});
