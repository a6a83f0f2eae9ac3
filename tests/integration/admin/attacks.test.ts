import { once } from "node:events";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { beforeAll, describe, expect, test } from "vitest";
import { httpLimits } from "../../../src/http/internal.ts";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { RawHttp, requestText } from "../../support/http/raw-http.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

let authority: TestAuthority;
let tls: Awaited<ReturnType<TestAuthority["server"]>>;

beforeAll(async () => {
  authority = await TestAuthority.create();
  tls = await authority.server();
});

const tokens = ["greedy", "other"].map((name) => `${name} token-of-${name}-0123456789`).join("\n");
const rules = accessRules([{ principal: "*", allow: ["see", "administer"], types: "*" }]);

/** A host whose admin entry other machines reach. */
async function openRig() {
  const authenticator = tokenAuthenticator({ text: tokens });
  const rig = await AdminRig.open({}, { open: { host: "127.0.0.1", port: 0, tls, authenticator, rules } });
  const [local, open] = [rig.entry.url, rig.entry.openUrl ?? ""].map((url) => Number(new URL(url).port));
  return { rig, local: local ?? 0, open: open ?? 0 };
}

/** A connection by TLS. */
class Client {
  readonly socket: TLSSocket;
  #text = "";
  #wake: () => void = () => undefined;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    socket.on("error", () => undefined);
  }

  static async connect(port: number): Promise<Client> {
    const socket = connectTls({ host: "127.0.0.1", port, ca: authority.ca, servername: "localhost" });
    const client = new Client(socket);
    await once(socket, "secureConnect");
    return client;
  }

  /** Resolves to the status line of the answer; empty if the connection ends without one. */
  async ask(target: string, name: string): Promise<string> {
    this.#text = "";
    this.socket.write(requestText({ target, token: `token-of-${name}-0123456789` }));
    while (!/\r\n\r\n/.test(this.#text) && !this.socket.destroyed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#text.split("\r\n")[0] ?? "";
  }
}

describe("at the address that other machines reach, an attacker", () => {
  test("with connections that begin no TLS keeps no principal out", async () => {
    const { rig, open } = await openRig();
    await using _rig = rig;
    const silent: RawHttp[] = [];
    for (let count = 0; count < 3 * httpLimits.connections; count += 1) silent.push(await RawHttp.connect(open));
    const client = await Client.connect(open);
    expect(await client.ask("/v1/types", "other")).toBe("HTTP/1.1 200 OK");
    client.socket.destroy();
    for (const raw of silent) raw.end();
  });

  test("who is known and keeps many connections has half of them, and keeps no other principal out", async () => {
    const { rig, open } = await openRig();
    await using _rig = rig;
    const greedy: Client[] = [];
    for (let count = 0; count < httpLimits.connections; count += 1) {
      const client = await Client.connect(open);
      await client.ask("/v1/types", "greedy");
      greedy.push(client);
    }
    const [first] = greedy;
    if (first !== undefined && !first.socket.closed) await once(first.socket, "close");
    const client = await Client.connect(open);
    expect(await client.ask("/v1/types", "other")).toBe("HTTP/1.1 200 OK");
    for (const one of [...greedy, client]) one.socket.destroy();
  });

  test("who speaks plain HTTP learns nothing", async () => {
    const { rig, open } = await openRig();
    await using _rig = rig;
    const raw = await RawHttp.connect(open);
    expect(await raw.send(requestText({ target: "/healthz" })).toEnd()).not.toMatch(/HTTP\/1\.1 2/);
  });
});

describe("an attacker", () => {
  test("finds no other place for the token than the header, and the log never has it", async () => {
    const { rig, local } = await openRig();
    await using _rig = rig;
    const ask = async (target: string, token: string | null) => {
      const raw = await RawHttp.connect(local);
      return raw.send(requestText({ target, token, headers: ["Connection: close"] })).toEnd();
    };
    expect(await ask("/v1/types?access_token=rig-token", null)).toMatch(/^HTTP\/1\.1 401 /);
    expect(await ask("/v1/types?access_token=rig-token", "rig-token")).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.stringify(rig.logger.lines)).not.toContain("rig-token");
  });

  test("writes no line of the log by names, paths and headers", async () => {
    const { rig, local } = await openRig();
    await using _rig = rig;
    const forged = "%0a%1b%5b2J%e2%80%a8forged";
    for (const target of [`/v1/worker/drain?id=x${forged}`, `/v1/agent/destroy?type=x${forged}&key=y${forged}`]) {
      const raw = await RawHttp.connect(local);
      const headers = ["Connection: close", "User-Agent: x\u0001"];
      await raw.send(requestText({ method: "POST", target, token: "rig-token", headers })).toEnd();
    }
    for (const { text, fields } of rig.logger.lines)
      expect(`${text} ${Object.values(fields ?? {}).join(" ")}`).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  test("sends CloudEvents without end, or with attributes without end, and is refused before they are read", async () => {
    const { rig, local } = await openRig();
    await using _rig = rig;
    const post = async (headers: readonly string[], body = "") => {
      const raw = await RawHttp.connect(local);
      const all = ["Connection: close", ...headers];
      return raw
        .send(requestText({ method: "POST", target: "/v1/events", token: "rig-token", headers: all }) + body)
        .toEnd();
    };
    expect(await post(["Content-Length: 99999999999"])).toMatch(/^HTTP\/1\.1 413 /);
    const many = Array.from({ length: 100 }, (_, at) => `ce-x${at}: y`);
    expect(await post([...many, "Content-Length: 0"])).toMatch(/^HTTP\/1\.1 400 [\s\S]*more than 64 attributes/);
    expect(await post([`ce-x: ${"y".repeat(40_000)}`])).toMatch(/^HTTP\/1\.1 431 |^$/);
    expect(await post(["ce-x: %ff", "Content-Length: 0"])).toMatch(/^HTTP\/1\.1 400 /);
  });
});
