import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
// biome-ignore lint/correctness/useImportExtensions: the linter would have a further .mts added after .mjs
import { run } from "../../../tools/run.mjs";

const isWindows = process.platform === "win32";
const timeoutMs = 60_000;

afterEach(() => {
  vi.useRealTimers();
});

test("a tool ends a program that takes too long, and all that it has started", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { program, connected } = await programWithChild({ detached: false });
  const ran = run(process.execPath, ["-e", program], { quiet: true, timeoutMs });
  const ofGrandchild = await connected;
  vi.advanceTimersByTime(timeoutMs);

  await once(ofGrandchild, "close");
  expect(await ran).toEqual({ code: 1, output: expect.stringContaining(`ended after ${timeoutMs} ms`) });
});

test("a tool goes on when what a program has left behind keeps its output open", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const { program, connected } = await programWithChild({ detached: true });
  const ran = run(process.execPath, ["-e", program], { quiet: true, timeoutMs });
  const ofGrandchild = await connected;
  vi.advanceTimersByTime(timeoutMs);
  vi.advanceTimersByTime(timeoutMs);

  expect(await ran).toEqual({ code: 1, output: expect.stringContaining(`ended after ${timeoutMs} ms`) });
  ofGrandchild.end();
});

test.skipIf(isWindows)("an interrupt of a tool ends the programs that it has started with a time limit", async () => {
  const { program, connected } = await programWithChild({ detached: false });
  const file = new URL("../../../tools/run.mjs", import.meta.url).href;
  const code = `import { run } from ${JSON.stringify(file)};
await run(process.execPath, ["-e", ${JSON.stringify(program)}], { quiet: true, timeoutMs: ${timeoutMs} });`;
  const tool = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "ignore" });
  onTestFinished(() => void tool.kill("SIGKILL"));
  const ended = once(tool, "exit");
  const ofGrandchild = await connected;
  tool.kill("SIGINT");

  await once(ofGrandchild, "close");
  expect(await ended).toEqual([null, "SIGINT"]);
});

/** Makes a program whose child has its output, and lives as long as its connection to this test. */
async function programWithChild({ detached }: { readonly detached: boolean }) {
  const server = createServer();
  const connected = new Promise<Socket>((resolve) =>
    server.once("connection", (socket) => {
      onTestFinished(() => void socket.destroy());
      resolve(socket.on("error", () => undefined).resume());
    }),
  );
  onTestFinished(() => void server.close());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  const child = `require("node:net").connect(${port}, "127.0.0.1").resume()`;
  const program = `require("node:child_process")
.spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit", detached: ${detached} });
setInterval(() => undefined, 1_000);`;
  return { program, connected };
}
