// Asks a host as a view of the page does: `watcher ADMIN-FILE overview|live|one-type`. It reads the feed and drops it.
import { readFileSync } from "node:fs";
import { commands, tell } from "../support/peer-commands.ts";

/** Milliseconds between two questions of the overview. */
const everyMs = 2_000;

const [file = "", view] = process.argv.slice(2);
const { url, token } = JSON.parse(readFileSync(file, "utf8")) as { readonly url: string; readonly token: string };
const headers = { authorization: `Bearer ${token}` };

async function ask(path: string): Promise<void> {
  const response = await fetch(`${url}${path}`, { headers });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  await response.arrayBuffer();
}

/** The page keeps counting and traces under way in every view, for a while. */
const overview = ["/v1/activity?step=0", "/v1/counters", "/v1/calls?minAgeMs=1000&limit=8", "/v1/traces?limit=1"];

async function poll(): Promise<void> {
  await Promise.all(overview.map(ask));
}

async function follow(query: string): Promise<void> {
  const { body, ok } = await fetch(`${url}/v1/feed${query}`, { headers });
  if (!ok || body === null) throw new Error("The host has no feed.");
  void (async () => {
    for await (const _ of body) {
      // The browser's own work is not the host's.
    }
  })();
}

await poll();
setInterval(() => void poll(), everyMs);
if (view === "live") await follow("");
if (view === "one-type") await follow("?type=somewhere-else");
tell("ready");
for await (const _ of commands()) {
  // Until the benchmark closes the stdin.
}
process.exit(0);
