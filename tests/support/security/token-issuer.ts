import { createServer } from "node:http";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";

interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

export type TokenClaims = Omit<JWTPayload, "exp"> & {
  readonly exp?: number | undefined;
  readonly expiresInS?: number;
};

/** An OpenID Connect issuer on loopback, with as much of one as a host sees: keys at a URL, and tokens. */
export class TokenIssuer implements AsyncDisposable {
  readonly issuer = "https://login.example";
  readonly audience = "troupe";
  /** Requests for the keys so far. */
  asked = 0;
  /** What answers requests for the keys; undefined: the keys. */
  answer: { readonly status: number; readonly body: string } | undefined;
  readonly #server = createServer((_request, response) => {
    this.asked += 1;
    void this.#body().then(({ status, body }) => response.writeHead(status).end(body));
  });
  #keys: SigningKey[] = [];
  #count = 0;

  static async start(): Promise<TokenIssuer> {
    const issuer = new TokenIssuer();
    await issuer.rotate();
    await new Promise<void>((resolve) => issuer.#server.listen(0, "127.0.0.1", resolve));
    return issuer;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the issuer does not listen");
    return `http://127.0.0.1:${address.port}/keys`;
  }

  /** Signs with a new key from now on; the keys before are gone. */
  async rotate(): Promise<void> {
    this.#keys = [{ kid: `key-${++this.#count}`, ...(await generateKeyPair("ES256", { extractable: true })) }];
  }

  async jwks(): Promise<{ readonly keys: readonly object[] }> {
    const keys = this.#keys.map(async ({ kid, publicKey }) => ({ ...(await exportJWK(publicKey)), kid, alg: "ES256" }));
    return { keys: await Promise.all(keys) };
  }

  /** A token for the subject, valid for five minutes from now on unless the claims say something else. */
  async token(sub: string, { expiresInS = 300, ...claims }: TokenClaims = {}, atMs = Date.now()): Promise<string> {
    const key = this.#current;
    const nowS = Math.floor(atMs / 1_000);
    const all = { iss: this.issuer, aud: this.audience, sub, iat: nowS, exp: nowS + expiresInS, ...claims };
    return new SignJWT(all as JWTPayload).setProtectedHeader({ alg: "ES256", kid: key.kid }).sign(key.privateKey);
  }

  /** A token that its attacker has signed with the public key as a secret. */
  async confusedToken(sub: string): Promise<string> {
    const key = this.#current;
    const secret = new TextEncoder().encode(await exportSPKI(key.publicKey));
    const nowS = Math.floor(Date.now() / 1_000);
    return new SignJWT({ iss: this.issuer, aud: this.audience, sub, exp: nowS + 300 })
      .setProtectedHeader({ alg: "HS256", kid: key.kid })
      .sign(secret);
  }

  /** A token without a signature. */
  unsignedToken(sub: string): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const claims = { iss: this.issuer, aud: this.audience, sub, exp: Math.floor(Date.now() / 1_000) + 300 };
    return `${part({ alg: "none" })}.${part(claims)}.`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get #current(): SigningKey {
    const key = this.#keys.at(-1);
    if (key === undefined) throw new Error("the issuer has no key");
    return key;
  }

  async #body(): Promise<{ readonly status: number; readonly body: string }> {
    return this.answer ?? { status: 200, body: JSON.stringify(await this.jwks()) };
  }
}

/** The metadata of a caller with a token. */
export function bearer(token: string): { readonly metadata: { readonly authorization: string } } {
  return { metadata: { authorization: `Bearer ${token}` } };
}
