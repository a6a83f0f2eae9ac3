// Keeps messages of 9 KiB in a SQLite store, settles every third one, and prints a line for each that was kept. It ends when it is killed.
import process from "node:process";
import { openSqliteStore } from "troupe/storage/sqlite";

const store = await openSqliteStore(process.argv[2] ?? "", { synchronous: "normal" });
await store.open();
const frame = new Uint8Array(9 * 1024);
for (let count = 1; ; count += 1) {
  const mailbox = { type: "writer", key: String(count % 5) };
  await store.log?.append(mailbox, { id: String(count), kind: "call", frame, sentAtMs: Date.now() });
  if (count % 3 === 0) {
    const [first] = await store.mail({ limit: 1 });
    if (first !== undefined) {
      await store.settle({ ticks: [], mail: [{ place: first.place, nextMs: undefined, attempts: 1 }] });
    }
  }
  process.stdout.write(`kept ${count}\n`);
}
