import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import {
  authenticatorsInTurn,
  certificateAuthenticator,
  functionAuthenticator,
  tokenAuthenticator,
} from "../../../src/security/index.ts";
import { jwtAuthenticator } from "../../../src/security/jwt/index.ts";
import { describeAuthenticator } from "../../../src/testing/index.ts";
import { parsed, TestAuthority } from "../../support/security/authority.ts";
import { bearer, TokenIssuer } from "../../support/security/token-issuer.ts";

const [aliceToken, bobToken] = ["alice-5f0c2b9d7e61", "bob-91c4d07a3be8f2"];
const knownTokens = [
  { name: "alice", shows: bearer(aliceToken) },
  { name: "bob", shows: bearer(bobToken) },
  { name: "alice", shows: { metadata: { authorization: `bearer  ${aliceToken} ` } } },
];
const wrongTokens = [
  { what: "another token", shows: bearer("alice-5f0c2b9d7e62") },
  { what: "the beginning of a token", shows: bearer(aliceToken.slice(0, -1)) },
  { what: "a longer token", shows: bearer(`${aliceToken}0`) },
  { what: "a digest of a token", shows: bearer(createHash("sha256").update(aliceToken).digest("hex")) },
  { what: "another scheme", shows: { metadata: { authorization: `Basic ${aliceToken}` } } },
];

const tokens = [
  { name: "alice", token: `sha256:${createHash("sha256").update(aliceToken).digest("hex")}` },
  { name: "bob", token: bobToken },
];
describeAuthenticator(
  "tokens",
  { create: () => tokenAuthenticator({ tokens }), known: () => knownTokens, wrong: () => wrongTokens },
  { describe, it },
);

const folder = mkdtempSync(join(tmpdir(), "troupe-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "tokens");
writeFileSync(file, `# tokens\nalice ${aliceToken} writer,reader\r\n\n bob\t${bobToken}\n`);
describeAuthenticator(
  "tokens of a file",
  { create: () => tokenAuthenticator({ file }), known: () => knownTokens, wrong: () => wrongTokens },
  { describe, it },
);

let issuer: TokenIssuer;
let stranger: TokenIssuer;
let authority: TestAuthority;
beforeAll(async () => {
  issuer = await TokenIssuer.start();
  stranger = await TokenIssuer.start();
  authority = await TestAuthority.create();
});
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
  await stranger[Symbol.asyncDispose]();
});

const ofIssuer = () => jwtAuthenticator({ issuer: issuer.issuer, audience: issuer.audience, keys: issuer.url });
const knownJwts = async () => [
  { name: "alice", shows: bearer(await issuer.token("alice")) },
  { name: "bob", shows: bearer(await issuer.token("bob", { aud: ["other", "troupe"] })) },
];
const wrongJwts = async () => [
  { what: "an expired token", shows: bearer(await issuer.token("alice", { expiresInS: -60 })) },
  { what: "a token of the future", shows: bearer(await issuer.token("alice", { nbf: Date.now() / 1_000 + 600 })) },
  { what: "a token for another audience", shows: bearer(await issuer.token("alice", { aud: "other" })) },
  { what: "a token of another issuer", shows: bearer(await issuer.token("alice", { iss: "https://evil.example" })) },
  { what: "a token without an end", shows: bearer(await issuer.token("alice", { exp: undefined })) },
  { what: "a token without a name", shows: bearer(await issuer.token("")) },
  { what: "the token of another key", shows: bearer(await stranger.token("alice")) },
  { what: "the public key as a secret", shows: bearer(await issuer.confusedToken("alice")) },
  { what: "no signature", shows: bearer(issuer.unsignedToken("alice")) },
  { what: "a changed token", shows: bearer(changed(await issuer.token("bob"))) },
  {
    what: "a bound token without the certificate",
    shows: bearer(await issuer.token("alice", { cnf: { "x5t#S256": "x" } })),
  },
  { what: "a token bound in another way", shows: bearer(await issuer.token("alice", { cnf: { jkt: "x" } })) },
];
describeAuthenticator("JSON Web Tokens", { create: ofIssuer, known: knownJwts, wrong: wrongJwts }, { describe, it });

const shown = async (name: string, hosts?: readonly string[]) => ({
  certificate: parsed(await authority.client(name, hosts)),
});
const knownCertificates = async () => [
  { name: "alice", shows: await shown("alice") },
  { name: "spiffe://example.org/bob", shows: await shown("alice", ["spiffe://example.org/bob", "alice.example.org"]) },
];
const wrongCertificates = async () => [
  { what: "another trust domain", shows: await shown("alice", ["spiffe://evil.example/alice"]) },
  { what: "two SPIFFE ids", shows: await shown("alice", ["spiffe://example.org/a", "spiffe://example.org/b"]) },
  { what: "a SPIFFE id beside a URI", shows: await shown("alice", ["spiffe://example.org/a", "https://example.org"]) },
  { what: "an invalid SPIFFE id", shows: await shown("alice", ["spiffe://example.org/../bob"]) },
];
describeAuthenticator(
  "certificates",
  {
    create: () => certificateAuthenticator({ trustDomains: ["example.org"] }),
    known: knownCertificates,
    wrong: wrongCertificates,
  },
  { describe, it },
);

describeAuthenticator(
  "a function",
  {
    create: () =>
      functionAuthenticator(async ({ metadata }) =>
        metadata["x-name"] === undefined ? undefined : { name: metadata["x-name"] },
      ),
    known: () => ["alice", "bob"].map((name) => ({ name, shows: { metadata: { "x-name": name } } })),
    wrong: () => wrongTokens,
  },
  { describe, it },
);

describeAuthenticator(
  "several in turn",
  {
    create: () =>
      authenticatorsInTurn(
        ofIssuer(),
        certificateAuthenticator({ trustDomains: ["example.org"] }),
        tokenAuthenticator({ tokens }),
      ),
    known: async () => [...knownTokens, ...(await knownJwts()), ...(await knownCertificates())],
    wrong: async () => [...wrongTokens, ...(await wrongJwts()), ...(await wrongCertificates())],
  },
  { describe, it },
);

/** Another subject under the same signature. */
function changed(token: string): string {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const claims: Record<string, unknown> = JSON.parse(Buffer.from(payload, "base64url").toString());
  const other = Buffer.from(JSON.stringify({ ...claims, sub: "alice" })).toString("base64url");
  return [header, other, signature].join(".");
}
