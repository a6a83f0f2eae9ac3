import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { tokenAuthenticator } from "troupe/security";
import { jwtAuthenticator } from "troupe/security/jwt";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { doctorCommand } from "../../../src/cli/commands/doctor.ts";
import { sendCommand } from "../../../src/cli/messages/send.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { TokenIssuer } from "../../support/security/token-issuer.ts";
import { testCertificate, testKey } from "../../support/test-certificate.ts";
import { run } from "../admin/running.ts";

const folder = mkdtempSync(join(tmpdir(), "troupe-doctor-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const ca = file("ca.pem", testCertificate);
const token = file("token", "operator-token-0123456789");
const wrongToken = file("wrong", "another-token-0123456789");
const locked = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
  channelOptions: { tls: { cert: testCertificate, key: testKey } },
  authenticator: tokenAuthenticator({ text: "operator operator-token-0123456789" }),
});
const plain = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");

beforeAll(async () => {
  await Promise.all([locked.start(), plain.start()]);
});

afterAll(async () => {
  await Promise.all([locked.stop(), plain.stop()]);
  rmSync(folder, { recursive: true });
});

async function examined(...args: readonly string[]) {
  const { out, exitCode } = await run(doctorCommand(), ...args, "--json");
  const { findings } = JSON.parse(out) as {
    readonly findings: readonly { readonly check: string; readonly outcome: string; readonly text: string }[];
  };
  const failed = findings.find(({ outcome }) => outcome === "failed");
  return { findings, failed: failed && `${failed.check}: ${failed.text}`, exitCode };
}

/** The address of a server of another kind. */
async function at(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("troupe doctor finds that a worker can connect to a host with TLS and a token", async () => {
  const { findings, exitCode } = await examined("--address", locked.address, "--tls-ca", ca, "--token-file", token);
  expect(findings.map(({ check, outcome }) => `${check} ${outcome === "warning" ? "ok" : outcome}`)).toEqual([
    ...["address ok", "TLS ok", "HTTP/2 ok", "health ok", "clock ok", "worker ok", "principal ok"],
  ]);
  expect(findings.at(-1)?.text).toBe("the host knows this machine as operator, by its token");
  expect(exitCode).toBe(0);
});

test("a host that troupe doctor has asked logs only workers that have left, and none as lost", async () => {
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  expect((await examined("--address", host.address)).exitCode).toBe(0);
  const reasons = () =>
    logger.lines.filter(({ text }) => text === "a worker has left").map(({ fields }) => fields?.reason);
  // The host may see the end of the last channel after the command.
  await expect.poll(reasons).toEqual(["left", "left"]);
});

test("troupe doctor warns that a host takes everybody and has not checked the token", async () => {
  const principalOf = async (...args: readonly string[]) =>
    (await examined("--address", plain.address, ...args)).findings.find(({ check }) => check === "principal");
  expect(await principalOf("--token-file", wrongToken)).toMatchObject({
    ...{ outcome: "warning", text: expect.stringMatching(/takes everybody and has not checked the token.*--tokens/) },
  });
  expect(await principalOf()).toMatchObject({ outcome: "ok", text: expect.stringMatching(/takes everybody/) });
});

test.each([
  [
    "TLS to a host without it",
    () => [plain.address, "--tls-ca", ca],
    /^TLS: .*serves plaintext.*Leave the --tls flags out/,
  ],
  ["plaintext to a host with TLS", () => [locked.address], /^HTTP\/2: .*host with TLS, use --tls-ca/],
  ["another authority", () => [locked.address, "--tls"], /^TLS: .*Name the authority.*--tls-ca/],
  [
    "another name",
    () => [locked.address, "--tls-ca", ca, "--tls-server-name", "other.example"],
    /^TLS: .*--tls-server-name/,
  ],
  ["no token", () => [locked.address, "--tls-ca", ca], /^token: .*use --token-file/],
  [
    "a token that the host does not know",
    () => [locked.address, "--tls-ca", ca, "--token-file", wrongToken],
    /^token: .*may have been replaced/,
  ],
  ["no host", () => ["127.0.0.1:1"], /^address: 127\.0\.0\.1:1 takes no connection.*See that the host runs/],
] as const)("troupe doctor says what to do for %s, and ends with 1", async (_what, args, says) => {
  const { failed, exitCode } = await examined("--address", ...args());
  expect(failed).toMatch(says);
  expect(exitCode).toBe(1);
});

test("troupe doctor and troupe send say that a host wants a certificate, or may refuse the one that they show", async () => {
  const [authority, another] = await Promise.all([TestAuthority.create(), TestAuthority.create("another")]);
  const server = await authority.server();
  const expired = await authority.expired("worker");
  const foreign = await another.client("worker");
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { ...server, ca: authority.ca, requestCert: true } },
  });
  await host.start();
  const reach = ["--address", host.address, "--tls-ca", file("authority.pem", authority.ca)];
  const sent = (...args: readonly string[]) => run(sendCommand(), "writer/7", "Ask", ...args).catch((e: unknown) => e);
  expect((await examined(...reach)).failed).toMatch(
    /^TLS: .*wants a certificate of its clients.*--tls-cert and --tls-key/,
  );
  expect(await sent(...reach)).toMatchObject({ message: expect.stringMatching(/Use --tls-cert and --tls-key/) });
  for (const [name, pair] of Object.entries({ expired, foreign })) {
    const shown = ["--tls-cert", file(`${name}.crt`, pair.cert), "--tls-key", file(`${name}.key`, pair.key)];
    const says = /may refuse the certificate of --tls-cert.*has not expired.*the host's log has the reason/;
    expect((await examined(...reach, ...shown)).failed).toMatch(says);
    expect(await sent(...reach, ...shown)).toMatchObject({ message: expect.stringMatching(says), exitCode: 2 });
  }
});

test("troupe doctor and troupe send notice a token that the host refuses after a while", async () => {
  await using issuer = await TokenIssuer.start();
  const { issuer: name, audience, url: keys } = issuer;
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    authenticator: jwtAuthenticator({ issuer: name, audience, keys }),
  });
  await host.start();
  const shown = (text: string) => ["--address", host.address, "--token-file", file("jwt", text)];
  const over = shown(await issuer.token("ada", { expiresInS: -3_600 }));
  expect((await examined(...over)).failed).toMatch(/^token: .*may have been replaced, be over/);
  const sent = run(sendCommand(), "writer/7", "Ask", ...over).catch((error: unknown) => error);
  expect(await sent).toMatchObject({ exitCode: 3, message: expect.stringMatching(/refuses this command/) });
  const { findings } = await examined(...shown(await issuer.token("ada")));
  expect(findings.at(-1)?.text).toBe("the host knows this machine as ada, by its JSON Web Token");
});

test("troupe doctor knows a proxy for HTTP/1 alone, one that answers in place of the host, and names it", async () => {
  const http1 = await examined("--address", await at(createServer((_request, response) => response.end())));
  expect(http1.failed).toMatch(/^HTTP\/2: .*proxy for HTTP\/1 alone/);
  const silent = createTcpServer((socket) => socket.on("error", () => undefined).once("data", () => socket.destroy()));
  expect((await examined("--address", await at(silent))).failed).toMatch(/^HTTP\/2: /);
  const proxy = createHttp2Server();
  proxy.on("stream", (stream) => {
    stream.respond({ ":status": 502, server: "nginx\u0009/1.22", "content-type": "text/html" });
    stream.end();
  });
  const { failed, findings } = await examined("--address", await at(proxy));
  expect(failed).toMatch(/^gRPC: Something answers in place of the host, with HTTP status 502/);
  expect(findings.find(({ check }) => check === "proxy")?.text).toMatch(
    /^nginx.* stands before the host.*--watch-seconds/,
  );
});

test("troupe doctor says when something ends a quiet stream, and that clocks differ", async () => {
  const proxy = createHttp2Server();
  proxy.on("stream", (stream, headers) => {
    stream.respond(
      { "content-type": "application/grpc", date: "Thu, 01 Jan 1970 00:00:00 GMT" },
      { waitForTrailers: true },
    );
    if (String(headers[":path"]).endsWith("Watch")) return stream.close(8);
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, 1]));
  });
  const { findings } = await examined("--address", await at(proxy), "--watch-seconds", "600");
  expect(findings.find(({ check }) => check === "clock")?.text).toMatch(/differ by \d+ s.*set both clocks by NTP/);
  expect(findings.find(({ check }) => check === "quiet stream")).toMatchObject({
    ...{ outcome: "warning", text: expect.stringMatching(/^It was ended after 0 s: .*raise that time/) },
  });
});
