import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { accessRules, tokenAuthenticator } from "troupe/security";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { publishCommand } from "../../../src/cli/messages/publish.ts";
import { sendCommand } from "../../../src/cli/messages/send.ts";
import {
  defineMessage,
  handlerTable,
  type MessageContext,
  RoutedAgent,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";
import { run } from "../admin/running.ts";

const Ask = defineMessage("Ask", z.object({ text: z.string() }));
const Said = defineMessage("Said", z.object({ text: z.string() }));

/** One host with TLS, tokens and rules for all tests of this file, and a worker with an agent. */
const site = {
  folder: "",
  host: undefined as GrpcWorkerAgentRuntimeHost | undefined,
  worker: undefined as GrpcWorkerAgentRuntime | undefined,
  heard: [] as string[],
  onHeard: (): void => undefined,
};

class Writer extends RoutedAgent {
  static override readonly handlers = handlerTable<Writer>()
    .rpc(Ask, ({ text }, context: MessageContext) => {
      if (text === "fail") throw new Error("out of ink");
      if (text === "wait")
        return new Promise<never>((_resolve, reject) => context.signal.addEventListener("abort", reject));
      return text === "nothing" ? undefined : Said({ text: `I heard ${text}` });
    })
    .event(Said, ({ text }) => {
      site.heard.push(text);
      site.onHeard();
    });
}

beforeAll(async () => {
  site.folder = mkdtempSync(join(tmpdir(), "troupe-send-"));
  const file = (name: string, text: string): void => writeFileSync(join(site.folder, name), text);
  file("ca.pem", testCertificate);
  file("operator", "operator-token-0123456789\n");
  file("guest", "guest-token-0123456789\n");
  file("unknown", "unknown-token-0123456789\n");
  file("ask.json", JSON.stringify({ text: "a file" }));
  site.host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { cert: testCertificate, key: testKey } },
    authenticator: tokenAuthenticator({
      text: "operator operator-token-0123456789\nguest guest-token-0123456789",
    }),
    rules: accessRules([
      { principal: "operator", allow: ["register", "call", "publish", "subscribe"], types: "*", topics: "*" },
      { principal: "guest", allow: "publish", topics: "news" },
    ]),
  });
  await site.host.start();
  site.worker = new GrpcWorkerAgentRuntime(site.host.address, {
    channelOptions: { tls: { ca: testCertificate }, metadata: { authorization: "Bearer operator-token-0123456789" } },
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  await site.worker.start();
  await Writer.register(site.worker, "writer", () => new Writer("writes"));
  await site.worker.addSubscription(new TypeSubscription("news", "writer"));
});

afterAll(async () => {
  await site.worker?.stop();
  await site.host?.stop();
  rmSync(site.folder, { recursive: true });
});

const at = (name: string): string => join(site.folder, name);
const flags = (token = "operator"): readonly string[] => [
  ...["--address", site.host?.address ?? "", "--tls-ca", at("ca.pem"), "--token-file", at(token)],
];
const send = (...args: readonly string[]) => run(sendCommand(), ...args);

describe("troupe send", () => {
  test("prints the answer of the agent, and with --json its type", async () => {
    const { out, exitCode } = await send("writer/7", "Ask", "--data", '{"text":"you"}', ...flags());
    expect([JSON.parse(out), exitCode]).toEqual([{ text: "I heard you" }, 0]);
    const full = await send("writer/7", "Ask", "--data", `@${at("ask.json")}`, "--json", ...flags());
    expect(JSON.parse(full.out)).toEqual({
      ...{ agent: "writer/7", ms: expect.any(Number), messageType: "Said", contentType: "application/json" },
      ...{ data: { text: "I heard a file" }, base64: null },
    });
  });

  test("says which flags help a connection that TLS ends", async () => {
    const [address, ca] = [site.host?.address ?? "", at("ca.pem")];
    await using plain = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await plain.start();
    const failure = async (...args: readonly string[]): Promise<unknown> =>
      send("writer/7", "Ask", ...args).catch((reason: unknown) => reason);
    for (const [args, says] of [
      [["--address", address], /If it is a host with TLS, use --tls-ca/],
      [["--address", address, "--tls"], /Name the authority of the host's certificate with --tls-ca/],
      [["--address", address, "--tls-ca", ca, "--tls-server-name", "other"], /say that name with --tls-server-name/],
      [["--address", plain.address, "--tls-ca", ca], /Leave the --tls flags out/],
    ] as const)
      expect(await failure(...args)).toMatchObject({ message: expect.stringMatching(says), exitCode: 2 });
  });

  test.each([
    ["a handler that fails", ["writer/7", "Ask", "--data", '{"text":"fail"}'], "operator", 5, /out of ink/],
    ["data that the handler can't take", ["writer/7", "Ask", "--data", "{}"], "operator", 5, /Ask/],
    ["an agent that nobody serves", ["editor/1", "Ask"], "operator", 6, /editor.*\(undeliverable\)/],
    [
      "an answer that does not come in time",
      ["writer/7", "Ask", "--data", '{"text":"wait"}', "--timeout-ms", "100"],
      ...(["operator", 4, /\(timed-out\)/] as const),
    ],
    ["a rule", ["writer/7", "Ask", "--data", '{"text":"you"}'], "guest", 3, /\(not-authorized\)/],
    ["a token that the host does not know", ["writer/7", "Ask"], "unknown", 3, /refuses this command/],
    ["data that is no JSON", ["writer/7", "Ask", "--data", "ask.json"], "operator", undefined, /--data @ask\.json/],
    [
      "a file that is not there",
      ["writer/7", "Ask", "--data", "@none.json"],
      "operator",
      undefined,
      /none\.json can't/,
    ],
  ] as const)("tells by its exit code that it has failed by %s", async (_why, args, token, exitCode, says) => {
    const error: unknown = await send(...args, ...flags(token)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringMatching(says), ...(exitCode !== undefined && { exitCode }) });
  });

  test("tells by its exit code that no host answers, and that TLS does not fit", async () => {
    const away = await send("writer/7", "Ask", "--address", "127.0.0.1:1").catch((reason: unknown) => reason);
    expect(away).toMatchObject({ exitCode: 2, message: expect.stringMatching(/127\.0\.0\.1:1.*troupe doctor/) });
    const plain = await send("writer/7", "Ask", "--address", site.host?.address ?? "").catch(
      (reason: unknown) => reason,
    );
    expect(plain).toMatchObject({ exitCode: 2 });
  });

  test("says where an answer is empty, since agents pass over messages of a type that they do not know", async () => {
    const { out, err } = await send("writer/7", "Unheard", ...flags());
    expect([out, err]).toEqual(["null\n", expect.stringMatching(/^writer\/7 has answered with nothing.*Unheard/)]);
  });

  test("never shows a token to another machine in plaintext", async () => {
    const asked = send("writer/7", "Ask", "--address", "192.0.2.1:50051", "--token-file", at("operator"));
    await expect(asked).rejects.toThrow(/a token without TLS is seen on the way.*--tls/);
  });
});

describe("troupe publish", () => {
  test("hands an event to the subscribers before it ends", async () => {
    const heard = new Promise<void>((resolve) => (site.onHeard = resolve));
    const { out } = await run(
      publishCommand(),
      ...["news/lisbon", "Said", "--data", '{"text":"rain"}', ...flags("guest")],
    );
    expect(out).toBe("sent Said on news/lisbon\n");
    await heard;
    expect(site.heard).toEqual(["rain"]);
  });

  test("says with --durable that the host keeps the event, and fails where a rule forbids it", async () => {
    const { out } = await run(publishCommand(), "news/lisbon", "Said", "--durable", "--json", ...flags("guest"));
    expect(JSON.parse(out)).toEqual({ topic: "news/lisbon", isKept: true });
    await expect(run(publishCommand(), "secret/x", "Said", "--durable", ...flags("guest"))).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/not-authorized/),
    });
  });
});
