import { once } from "node:events";
import { connect as connectTls } from "node:tls";
import { describe, expect, test } from "vitest";
import { accessRules, tokenAuthenticator } from "../../../src/security/index.ts";
import { TestAuthority } from "../../support/security/authority.ts";
import { AdminRig } from "./admin-rig.ts";

const token = "token-of-ada-0123456789";
const bearer = `Authorization: Bearer ${token}`;

/** Sends bytes to the address that other machines reach; resolves to all that comes until the connection ends. */
async function withOpenEntry(use: (send: (text: string) => Promise<string>) => Promise<void>): Promise<void> {
  const authority = await TestAuthority.create();
  const tls = await authority.server();
  const authenticator = tokenAuthenticator({ text: `ada ${token}` });
  const rules = accessRules([{ principal: "ada", allow: ["see", "watch"], types: "*", topics: "*" }]);
  await using rig = await AdminRig.open({}, { open: { host: "127.0.0.1", port: 0, tls, authenticator, rules } });
  const port = Number(new URL(rig.entry.openUrl ?? "").port);
  await use(async (text) => {
    const socket = connectTls({ host: "127.0.0.1", port, ca: authority.ca, servername: "localhost" });
    socket.on("error", () => undefined);
    await once(socket, "secureConnect");
    let got = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      got += part;
    });
    socket.write(text.replaceAll("\n", "\r\n"));
    await once(socket, "close");
    return got;
  });
}

const statusesIn = (text: string): readonly string[] =>
  [...text.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status = ""]) => status);
const hidden = `GET /v1/host HTTP/1.1\nHost: localhost\n${bearer}\nConnection: close\n\n`;

/** Requests that two programs on the way could read in two ways. None may have a second one inside it answered. */
const ambiguous = {
  "a length beside chunks": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n${hidden}`,
  "two lengths": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nContent-Length: 0\nContent-Length: 200\n\n${hidden}`,
  "chunks that are not last": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nTransfer-Encoding: chunked, identity\n\n0\n\n${hidden}`,
  "a length that is no number": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nContent-Length: +0\n\n${hidden}`,
  "a chunk of no length": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nTransfer-Encoding: chunked\n\nzz\n\n${hidden}`,
  "a space before the colon": `POST /v1/events HTTP/1.1\nHost: localhost\n${bearer}\nContent-Length : 0\n\n${hidden}`,
  "a NUL in a header": `GET /healthz HTTP/1.1\nHost: localhost\nX: a\0b\n${bearer}\n\n${hidden}`,
} as const;

describe("raw bytes at the address that other machines reach", () => {
  test("that could be read in two ways are refused, with all that follows on the connection", async () => {
    await withOpenEntry(async (send) => {
      expect(statusesIn(await send(hidden)), "the request by itself is answered").toEqual(["200"]);
      for (const [name, text] of Object.entries(ambiguous)) {
        const answer = await send(text);
        expect(
          statusesIn(answer).filter((status) => status.startsWith("2")),
          name,
        ).toEqual([]);
        expect(statusesIn(answer).length, name).toBeLessThanOrEqual(1);
      }
    });
  });

  test("with a header that goes on in the next line, two tokens or two hosts, learn nothing", async () => {
    await withOpenEntry(async (send) => {
      const folded = `GET /v1/host HTTP/1.1\nHost: localhost\nAuthorization: Bearer\n ${token}\nConnection: close\n\n`;
      const twoHosts = `GET /v1/host HTTP/1.1\nHost: localhost\nHost: other\n${bearer}\nConnection: close\n\n`;
      const noHost = `GET /v1/host HTTP/1.1\n${bearer}\nConnection: close\n\n`;
      const foreign = `GET /v1/host HTTP/1.1\nHost: localhost\nOrigin: https://evil.example\n${bearer}\nConnection: close\n\n`;
      for (const text of [folded, noHost, foreign]) expect(statusesIn(await send(text))[0]).toMatch(/^4/);
      // A name of another machine gives no further rights: the token decides, as it does for one name.
      expect(statusesIn(await send(twoHosts))).toHaveLength(1);
      const twoTokens = `GET /v1/host HTTP/1.1\nHost: localhost\nAuthorization: Bearer wrong-token-0123456789\n${bearer}\nConnection: close\n\n`;
      expect(statusesIn(await send(twoTokens))).not.toContain("200");
    });
  });

  test("of a request that does not wait for the answer before end the connection, and it is not answered", async () => {
    await withOpenEntry(async (send) => {
      const known = `GET /v1/host HTTP/1.1\nHost: localhost\n${bearer}\n\n`;
      const { length } = statusesIn(await send(known.repeat(20) + hidden));
      expect(length).toBeLessThanOrEqual(1);
    });
  });
});
