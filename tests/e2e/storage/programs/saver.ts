// Saves counters of eight agents without end, and prints each number once it is acknowledged: node saver.ts FILE or postgres://…
// With `once` it saves each once, leaves the store open, and has nothing more to do. With `idle` it only opens the file.
import process from "node:process";
import type { Commit } from "troupe/storage";
import { openPostgresStore } from "troupe/storage/postgres";
import { openSqliteStore } from "troupe/storage/sqlite";

const [file = "", mode = "endless"] = process.argv.slice(2);
const store = file.startsWith("postgres:") ? await openPostgresStore(file) : await openSqliteStore(file);
if (mode !== "idle") await store.open();

function countOf(key: string, count: number): Commit {
  const data = new TextEncoder().encode(String(count));
  return {
    agent: { type: "counter", key },
    epoch: undefined,
    expected: { at: "anything" },
    write: { at: "put", contentType: "text/plain", schemaVersion: 1, data },
    reminders: [],
    mail: [{ id: String(count), receiver: { type: "log", key }, kind: "event", frame: data }],
    remembered: [],
  };
}

await Promise.all(
  Array.from({ length: 8 }, async (_, index) => {
    for (let count = 1; mode === "endless" || (mode === "once" && count === 1); count += 1) {
      await store.commit([countOf(String(index), count)]);
      process.stdout.write(`saved ${index} ${count}\n`);
    }
  }),
);
