import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import * as z from "zod";
import { makeCertificates } from "../../../src/cli/commands/certs.ts";
import { AgentId, ClosureAgent, defineMessage } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { certificateAuthenticator, tokenAuthenticator } from "../../../src/security/index.ts";
import { startFaultProxy } from "../../../src/testing/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { TestAuthority } from "../../support/security/authority.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "troupe-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(":") + 1));
}

/** Puts a file in the place of another, as tools for certificates do. */
function replace(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
  return file;
}

/** Resolves when a listener that looks at its files once a second has seen these: by a connection that it is offered. */
async function untilShown(address: string, certificate: string): Promise<void> {
  for (;;) {
    const shown = await new Promise<string>((resolve, reject) => {
      const options = { host: "127.0.0.1", port: portOf(address), rejectUnauthorized: false, ALPNProtocols: ["h2"] };
      const socket: TLSSocket = connect(options, () => {
        resolve(socket.getPeerX509Certificate()?.toString().trim() ?? "");
        socket.destroy();
      }).once("error", reject);
    });
    if (shown === certificate.trim()) return;
  }
}

describe("TLS by files", () => {
  it("is renewed at host and worker, authorities included, and no session is lost", async () => {
    const [older, newer] = await Promise.all([TestAuthority.create("older"), TestAuthority.create("newer")]);
    const place = async (authority: TestAuthority, trusted: string): Promise<string> => {
      const [host, worker] = await Promise.all([authority.server(), authority.client("alice")]);
      replace("ca.crt", trusted);
      replace("worker.key", worker.key);
      replace("worker.crt", worker.cert);
      replace("host.key", host.key);
      replace("host.crt", host.cert);
      return host.cert;
    };
    const files = (name: string) => ({
      ...{
        certFile: join(folder, `${name}.crt`),
        keyFile: join(folder, `${name}.key`),
        caFile: join(folder, "ca.crt"),
      },
    });
    await place(older, older.ca);
    const logger = new RecordingLogger();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: { ...files("host"), requestCert: true } },
      authenticator: certificateAuthenticator(),
      logger,
    });
    await host.start();
    await using network = await startFaultProxy({ target: host.address });
    await using worker = new GrpcWorkerAgentRuntime(network.address, {
      ...{ logger: new RecordingLogger(), reconnect: { initialDelayMs: 1, maxDelayMs: 1 } },
      channelOptions: { tls: files("worker") },
    });
    await worker.start();
    const shown = await place(newer, `${older.ca}${newer.ca}`);
    await untilShown(host.address, shown);
    expect(host.sessions(), "the open session stays").toHaveLength(1);
    expect(logger.texts("info")).toContain("new connections get the renewed certificate");
    network.apply({ kind: "reset" });
    for await (const { at } of worker.status()) if (at === "waiting") break;
    for await (const { at } of worker.status()) if (at === "connected") break;
    const { sessions } = await host.inspect();
    expect(sessions.map(({ principal }) => principal?.name)).toEqual(["alice"]);
  });

  it("that can't be used are refused with the name of the file", async () => {
    const authority = await TestAuthority.create();
    const [host, other] = await Promise.all([authority.server(), authority.server()]);
    const certFile = replace("host.crt", host.cert);
    const make = (tls: object) => () => new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions: { tls } });
    expect(make({ certFile, keyFile: replace("other.key", other.key) })).toThrow(
      /other\.key is not the one of .*host\.crt/,
    );
    expect(make({ certFile, keyFile: join(folder, "none.key") })).toThrow(
      /none\.key \(keyFile\) can't be used: ENOENT/,
    );
    expect(make({ certFile: replace("text", "no PEM"), keyFile: certFile })).toThrow(/text \(certFile\) can't be used/);
  });

  it.each([{ minVersion: "TLSv1.1" }, { maxVersion: "TLSv1" }, { secureProtocol: "TLSv1_method" }])(
    "with %j is refused: TLS 1.2 is the least",
    async (versions) => {
      const { cert, key } = await (await TestAuthority.create()).server();
      const tls = { cert, key, ...versions };
      // @ts-expect-error any text may come here
      expect(() => new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions: { tls } })).toThrow(
        "TLS 1.2 is the least",
      );
      // @ts-expect-error any text may come here
      expect(() => new GrpcWorkerAgentRuntime("127.0.0.1:1", { channelOptions: { tls } })).toThrow(
        "TLS 1.2 is the least",
      );
    },
  );
});

describe("an attacker on the way", () => {
  it("can't make a host speak an older TLS, or plaintext", async () => {
    const authority = await TestAuthority.create();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: await authority.server() },
    });
    await host.start();
    const port = portOf(host.address);
    const old = new Promise((resolve, reject) => {
      const versions = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
      connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...versions }, () => resolve("connected")).once(
        "error",
        reject,
      );
    });
    await expect(old).rejects.toThrow(/protocol version|alert/i);
    const plain = connectTcp(port, "127.0.0.1");
    plain.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    let heard = "";
    plain.on("data", (bytes) => {
      heard += bytes.toString("latin1");
    });
    await new Promise((resolve) => plain.once("close", resolve).once("error", () => undefined));
    expect(heard).not.toContain("HTTP");
    expect(host.counters()).toMatchObject({ channels: 0 });
  });

  it("reads no message, token or name of an agent, and a byte that it changes ends the connection before an agent hears of it", async () => {
    const authority = await TestAuthority.create();
    const token = "alice-token-0123456789";
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: await authority.server() },
      authenticator: tokenAuthenticator({ text: `alice ${token}` }),
    });
    await host.start();
    const passed: Buffer[] = [];
    let changes = false;
    const wire = createTcpServer((near) => {
      const far = connectTcp(portOf(host.address), "127.0.0.1");
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on("error", () => undefined).once("close", () => to.destroy());
        from.on("data", (bytes) => {
          passed.push(Buffer.from(bytes));
          // The last byte is one of the text that was encrypted, or of its seal.
          if (changes && from === near) bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
          to.write(bytes);
        });
      }
    });
    await new Promise<void>((resolve) => wire.listen(0, "127.0.0.1", resolve));
    const address = wire.address();
    const port = typeof address === "object" ? address?.port : 0;
    const heard: string[] = [];
    const Say = defineMessage("TlsSay", z.object({ text: z.string() }));
    const tls = { ca: authority.ca };
    const channelOptions = { tls, metadata: { authorization: `Bearer ${token}` } };
    const logger = new RecordingLogger();
    const asked = { channelOptions, logger };
    await using vault = new GrpcWorkerAgentRuntime(host.address, asked);
    await vault.start();
    await ClosureAgent.registerClosure(vault, "secret-vault", (_context, { text }) => void heard.push(text), {
      types: [Say],
      subscriptions: () => [],
    });
    await using caller = new GrpcWorkerAgentRuntime(`127.0.0.1:${port}`, { ...asked, reconnect: false });
    await caller.start();
    await caller.sendMessage(Say({ text: "gold-in-row-7" }), new AgentId("secret-vault", "k"));
    expect(heard).toEqual(["gold-in-row-7"]);
    const text = Buffer.concat(passed).toString("latin1");
    expect(text.length).toBeGreaterThan(1_000);
    for (const secret of ["gold-in-row-7", token, "secret-vault", "TlsSay"]) expect(text).not.toContain(secret);
    changes = true;
    const changed = caller.sendMessage(Say({ text: "gold-in-row-8" }), new AgentId("secret-vault", "k"));
    await expect(changed).rejects.toMatchObject({ code: "disconnected" });
    expect(heard).toEqual(["gold-in-row-7"]);
    wire.close();
  });

  it("can't make a worker speak an older TLS, or take another certificate for the host's", async () => {
    const [authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create()]);
    const shown = [
      [
        "an older TLS",
        { ...(await authority.server()), minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" },
      ],
      ["a certificate for another host", await authority.server(["host.example", "10.0.0.1"])],
      ["a certificate of another authority", await other.server()],
      ["a certificate for clients", await authority.client("host", ["localhost", "127.0.0.1"])],
      ["a certificate that is over", await authority.expired("localhost")],
    ] as const;
    for (const [what, tls] of shown) {
      const received: Buffer[] = [];
      const server = createServer({ ...tls, ALPNProtocols: ["h2"] }, (socket) =>
        socket.on("data", (data) => received.push(data)),
      );
      server.on("tlsClientError", () => undefined);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" ? address?.port : 0;
      const worker = new GrpcWorkerAgentRuntime(`127.0.0.1:${port}`, {
        channelOptions: { tls: { ca: authority.ca }, metadata: { authorization: "Bearer of-alice-of-alice" } },
      });
      await expect(worker.start(), what).rejects.toThrow(/TLS|certificate/i);
      expect(Buffer.concat(received).toString("latin1"), what).not.toContain("of-alice");
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("can't go on with a TLS session after its authority was taken away", async () => {
    const [older, newer] = await Promise.all([TestAuthority.create("older"), TestAuthority.create("newer")]);
    const own = await newer.server();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
      channelOptions: { tls: { ...own, ca: [older.ca, newer.ca], requestCert: true } },
      authenticator: certificateAuthenticator(),
    });
    await host.start();
    const options = { host: "127.0.0.1", port: portOf(host.address), ca: newer.ca, ALPNProtocols: ["h2"] };
    const mallory = await older.client("mallory");
    const session = await new Promise<Buffer>((resolve, reject) => {
      const socket: TLSSocket = connect({ ...options, ...mallory }).once("error", reject);
      socket.once("session", (ticket) => {
        resolve(ticket);
        socket.destroy();
      });
    });
    const reuse = (): Promise<boolean> =>
      new Promise((resolve) => {
        const socket: TLSSocket = connect({ ...options, ...mallory, session });
        // What the server sends first shows that it has accepted the client.
        socket.once("data", () => {
          resolve(true);
          socket.destroy();
        });
        socket.once("error", () => resolve(false)).once("close", () => resolve(false));
      });
    expect(await reuse(), "while the authority counts").toBe(true);
    host.reloadTls({ ca: newer.ca });
    expect(await reuse(), "when it counts no more").toBe(false);
  });
});

describe("an address that other machines reach", () => {
  const tokens = [{ name: "alice", token: "alice-5f0c2b9d7e61" }];
  it("needs TLS and authentication, or the word insecure", async () => {
    const authority = await TestAuthority.create();
    const tls = await authority.server();
    const authenticator = tokenAuthenticator({ tokens });
    const refused = [
      [{}, "no TLS (the listener's option tls) and no authentication"],
      [{ authenticator }, "no TLS"],
      [{ channelOptions: { tls } }, "no authentication"],
      [
        { channelOptions: { tls: { ...tls, ca: authority.ca, requestCert: true, rejectUnauthorized: false } } },
        "no authentication",
      ],
    ] as const;
    for (const [options, text] of refused) {
      const host = new GrpcWorkerAgentRuntimeHost("0.0.0.0:0", options);
      await expect(host.start()).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringContaining(text),
      });
    }
    // "host.invalid" leads nowhere: a host that may start there fails when it binds.
    for (const options of [
      { channelOptions: { tls }, authenticator },
      { channelOptions: { tls: { ...tls, ca: authority.ca, requestCert: true } } },
      { insecure: true },
    ])
      await expect(new GrpcWorkerAgentRuntimeHost("host.invalid:0", options).start()).rejects.not.toThrow(
        "open to other machines",
      );
  });
});

test("troupe certs dev makes certificates by which a worker and a host know each other; keys are for their owner alone", async () => {
  const lines: string[] = [];
  const flags = { folder, host: ["localhost", "127.0.0.1"], worker: ["writer", "editor"], days: 30 };
  for (let times = 0; times < 2; times += 1)
    await makeCertificates(flags, { nowMs: Date.now(), say: (line) => void lines.push(line) });
  expect(lines[0]).toMatch(/authority .*ca\.crt$/);
  expect(lines[5]).toMatch(/\(there already\)$/);
  for (const name of ["ca", "host", "writer"]) expect(statSync(join(folder, `${name}.key`)).mode & 0o777).toBe(0o600);
  const files = (name: string) => ({
    ...{ certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`), caFile: join(folder, "ca.crt") },
  });
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
    channelOptions: { tls: { ...files("host"), requestCert: true } },
    authenticator: certificateAuthenticator(),
  });
  await host.start();
  await using worker = new GrpcWorkerAgentRuntime(`localhost:${portOf(host.address)}`, {
    channelOptions: { tls: files("editor") },
  });
  await worker.start();
  expect((await host.inspect()).sessions.map(({ principal }) => principal?.name)).toEqual(["editor"]);
});
