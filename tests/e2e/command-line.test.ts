import { createServer } from "node:net";
import { AgentId, defineMessage, handlerTable, RoutedAgent } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { NodeProgram } from "../support/node-program.ts";

const Note = defineMessage("Note", z.object({ text: z.string() }));

const troupe = (...args: string[]) => new NodeProgram("src/cli/main.ts", args);
const readyLine = /^.*127\.0\.0\.1:(\d+).*$/m;

/** One line with some text in it, and no stack trace. */
function expectOneLine(text: string): void {
  expect(text.trimEnd().split("\n")).toHaveLength(1);
  expect(text.trim().length).toBeGreaterThan(10);
}

describe("troupe host", () => {
  test("says in one line that it is ready, and at which port", async () => {
    await using host = troupe("host", "--address", "127.0.0.1:0");
    const [, port] = await host.output(readyLine);
    expect(Number(port)).toBeGreaterThan(0);
    const { stdout, stderr } = await host.stop();
    expectOneLine(stdout.split("\n")[0] ?? "");
    expect(stderr).toBe("");
  });

  test.each(["SIGTERM", "SIGINT"] as const)("ends with 0 on %s", async (signal) => {
    await using host = troupe("host", "--address", "127.0.0.1:0");
    await host.output(readyLine);
    expect(await host.stop(signal)).toMatchObject({ code: 0, stderr: "" });
  });

  test("on SIGTERM answers a call that is under way with an error, and ends with 0", async () => {
    const asked = withResolvers();
    class Silent extends RoutedAgent {
      static override readonly handlers = handlerTable<Silent>().rpc(Note, (_note, { signal }) => {
        asked.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
      });
    }
    await using host = troupe("host", "--address", "127.0.0.1:0");
    const [, port] = await host.output(readyLine);
    await using worker = new GrpcWorkerAgentRuntime(`127.0.0.1:${port}`, { drainTimeoutMs: 100 });
    await worker.start();
    await Silent.register(worker, "silent", () => new Silent("never answers"));
    const call = worker.sendMessage(Note({ text: "hello?" }), new AgentId("silent", "1"));
    const failed = expect(call).rejects.toMatchObject({ name: "UndeliverableException" });
    await asked.promise;
    const ended = await host.stop();
    await failed;
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("an address in use is one line on stderr and a non-zero exit", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" ? address?.port : undefined;
    await using host = troupe("host", "--address", `127.0.0.1:${port}`);
    const { code, stdout, stderr } = await host.ended;
    taken.close();
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expectOneLine(stderr);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr).toMatch(/in use/);
  });

  test.each([
    ["an unknown option", ["host", "--address", "127.0.0.1:0", "--colour"], /--colour/],
    ["a misspelt option", ["host", "--adress", "127.0.0.1:0"], /--adress/],
    ["an option with a wrong value", ["host", "--address", "127.0.0.1:0", "--grace-seconds", "few"], /--grace-seconds/],
    ["an unknown command", ["hots"], /hots/],
    ["an address without a port", ["host", "--address", "localhost"], /localhost/],
    ["a port that is too large", ["host", "--address", "127.0.0.1:70000"], /70000/],
    ["an option without its value", ["host", "--address"], /--address/],
  ])("%s is one line on stderr and a non-zero exit", async (_name, args, text) => {
    await using program = troupe(...args);
    const { code, stdout, stderr } = await program.ended;
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expectOneLine(stderr);
    expect(stderr).toMatch(text);
  });

  test("--help names the command and its options", async () => {
    await using program = troupe("host", "--help");
    const { code, stdout } = await program.ended;
    expect(code).toBe(0);
    expect(stdout).toContain("--address");
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
