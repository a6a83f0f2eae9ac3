import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Authentication, Authenticator, Caller } from "../../../src/security/index.ts";
import { type JwtAuthenticatorOptions, jwtAuthenticator } from "../../../src/security/jwt/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { parsed, TestAuthority } from "../../support/security/authority.ts";
import { bearer, TokenIssuer } from "../../support/security/token-issuer.ts";

let issuer: TokenIssuer;
beforeEach(async () => {
  issuer = await TokenIssuer.start();
});
afterEach(() => issuer[Symbol.asyncDispose]());

function authenticator(options: Partial<JwtAuthenticatorOptions> = {}): Authenticator {
  return jwtAuthenticator({ issuer: issuer.issuer, audience: "troupe", keys: issuer.url, ...options });
}

async function ask(asked: Authenticator, token: string, caller: Partial<Caller> = {}): Promise<Authentication> {
  const { signal } = new AbortController();
  return asked.authenticate({ method: "OpenChannel", peer: "p", signal, ...bearer(token), ...caller });
}

describe("the keys of an issuer", () => {
  it("are read once, however many callers come, and again for the token of a new key", async () => {
    const clock = new ManualClock(Date.now());
    const asked = authenticator({ clock });
    const token = await issuer.token("alice");
    await Promise.all(
      Array.from({ length: 50 }, async () => expect(await ask(asked, token)).toMatchObject({ at: "known" })),
    );
    expect(issuer.asked).toBe(1);
    await issuer.rotate();
    clock.advance(30_000);
    const later = await issuer.token("alice", {}, clock.wallNow());
    expect(await ask(asked, later)).toMatchObject({ at: "known" });
    expect(await ask(asked, token), "a token of the older key").toMatchObject({ at: "unavailable" });
    clock.advance(30_000);
    expect(await ask(asked, token)).toMatchObject({ at: "refused" });
    expect(issuer.asked).toBe(3);
  });

  it("are not read again and again for invented key ids: those callers may try again later", async () => {
    const clock = new ManualClock(Date.now());
    const asked = authenticator({ clock });
    const known = await issuer.token("alice");
    await ask(asked, known);
    const invented = known.replace(/^[^.]+/, Buffer.from('{"alg":"ES256","kid":"invented"}').toString("base64url"));
    for (let count = 0; count < 100; count += 1)
      expect(await ask(asked, invented)).toMatchObject({ at: "unavailable" });
    expect(issuer.asked).toBe(1);
    clock.advance(30_000);
    expect(await ask(asked, invented)).toMatchObject({ at: "refused" });
    expect(await ask(asked, known)).toMatchObject({ at: "known" });
    expect(issuer.asked).toBe(2);
  });

  it.each([
    ["an error", { status: 503, body: "" }],
    ["no JSON", { status: 200, body: "<html>" }],
    ["no key set", { status: 200, body: '{"keys":1}' }],
    ["a redirect", { status: 302, body: "" }],
    ["too much", { status: 200, body: " ".repeat(2 * 1024 * 1024) }],
  ])(
    "make callers try again later while the issuer answers with %s, and stay in use once they are known",
    async (_what, answer) => {
      const clock = new ManualClock(Date.now());
      const asked = authenticator({ clock });
      issuer.answer = answer;
      expect(await ask(asked, await issuer.token("alice"))).toMatchObject({ at: "unavailable" });
      issuer.answer = undefined;
      clock.advance(30_000);
      const token = await issuer.token("alice", { expiresInS: 7_200 }, clock.wallNow());
      expect(await ask(asked, token)).toMatchObject({ at: "known" });
      issuer.answer = answer;
      clock.advance(3_600_000);
      expect(await ask(asked, token)).toMatchObject({ at: "known" });
    },
  );

  it("are used no longer than a day when they can't be read again", async () => {
    const clock = new ManualClock(Date.now());
    const asked = authenticator({ clock });
    const token = await issuer.token("alice", { expiresInS: 200_000 });
    expect(await ask(asked, token)).toMatchObject({ at: "known" });
    issuer.answer = { status: 500, body: "" };
    clock.advance(86_400_000);
    expect(await ask(asked, token)).toMatchObject({ at: "unavailable" });
  });

  it("may be given; then a token of another key is refused each time", async () => {
    const asked = authenticator({ keys: await issuer.jwks() });
    expect(await ask(asked, await issuer.token("alice"))).toMatchObject({ at: "known" });
    await issuer.rotate();
    for (let count = 0; count < 3; count += 1)
      expect(await ask(asked, await issuer.token("alice"))).toMatchObject({ at: "refused" });
    expect(issuer.asked).toBe(0);
  });
});

describe("a JSON Web Token", () => {
  it("gives name, roles and attributes from its claims", async () => {
    const asked = authenticator({ rolesClaim: "realm_access.roles", attributeClaims: ["email"], namePrefix: "oidc:" });
    const token = await issuer.token("7", { realm_access: { roles: ["a", 1, "b"] }, email: "a@example.org" });
    const principal = { name: "oidc:7", knownBy: "jwt", roles: ["a", "b"], attributes: { email: "a@example.org" } };
    expect(await ask(asked, token)).toEqual({ at: "known", principal });
  });

  it("counts for the time that the clocks may differ, and no longer", async () => {
    const clock = new ManualClock(Date.now());
    const asked = authenticator({ clock });
    const token = await issuer.token("alice", { expiresInS: 60 }, clock.wallNow());
    clock.advance(85_000);
    expect(await ask(asked, token)).toMatchObject({ at: "known" });
    clock.advance(10_000);
    expect(await ask(asked, token)).toEqual({ at: "refused", reason: "its token is refused: ERR_JWT_EXPIRED" });
  });

  it("that is bound to a certificate counts on a connection with that certificate alone", async () => {
    const authority = await TestAuthority.create();
    const [own, other] = [parsed(await authority.client("alice")), parsed(await authority.client("mallory"))];
    const thumbprint = createHash("sha256").update(own.raw).digest("base64url");
    const token = await issuer.token("alice", { cnf: { "x5t#S256": thumbprint } });
    const asked = authenticator();
    expect(await ask(asked, token, { certificate: own })).toMatchObject({ at: "known" });
    const refused = { at: "refused", reason: "its token is bound to another certificate" };
    expect(await ask(asked, token, { certificate: other })).toEqual(refused);
    expect(await ask(asked, token)).toEqual(refused);
  });
});

describe("jwtAuthenticator", () => {
  it.each([
    ["an algorithm with a shared secret", { algorithms: ["HS256"] }, "prove nothing about the issuer"],
    ["none as an algorithm", { algorithms: ["none"] }, "prove nothing about the issuer"],
    ["keys in plaintext from another machine", { keys: "http://login.example/keys" }, "begins with `https:`"],
    ["keys of no form", { keys: { keys: 1 } }, "JSON Web Key Set"],
    ["no audience", { audience: [] }, "needs issuer, audience and keys"],
  ])("refuses %s", (_what, options, text) => {
    // @ts-expect-error some of these are no options
    expect(() => authenticator(options)).toThrow(text);
  });
});
