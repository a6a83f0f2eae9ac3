import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { quoted, TroupeError } from "../core/internal.ts";
import { isSamePrincipal, type Principal } from "./principal.ts";
import { assertToken, digestOf, mostTokens, type NamedToken } from "./token-list.ts";

interface Entry {
  readonly digest: Buffer;
  readonly principal: Principal;
}

/**
 * Finds the principal of a token in a time that tells nothing of the tokens. The table has no tokens but keyed digests, under a key of
 * its own. So no caller can choose a text whose digest begins as that of a token.
 */
export class TokenTable {
  readonly #key = randomBytes(32);
  readonly #entries = new Map<string, Entry>();

  /** Throws `invalid-argument` for tokens that can't be used. */
  constructor(tokens: readonly NamedToken[]) {
    if (tokens.length > mostTokens)
      throw new TroupeError("invalid-argument", `There are ${tokens.length} tokens; ${mostTokens} is the most.`);
    for (const [index, token] of tokens.entries()) this.#add(token, `Token ${index + 1}`);
  }

  get size(): number {
    return this.#entries.size;
  }

  find(token: string): Principal | undefined {
    const digest = this.#keyed(createHash("sha256").update(token).digest());
    const entry = this.#entries.get(digest.toString("latin1"));
    return entry !== undefined && timingSafeEqual(entry.digest, digest) ? entry.principal : undefined;
  }

  #add(token: NamedToken, at: string): void {
    assertToken(token, at);
    const { name, roles, attributes } = token;
    const said = digestOf(token.token);
    const plain = said === undefined ? createHash("sha256").update(token.token).digest() : Buffer.from(said, "hex");
    const digest = this.#keyed(plain);
    const id = digest.toString("latin1");
    const known = this.#entries.get(id);
    const principal: Principal = { name, roles, attributes, knownBy: "token" };
    if (known !== undefined && !isSamePrincipal(known.principal, principal))
      throw new TroupeError(
        "invalid-argument",
        `${at}: ${quoted(known.principal.name)} and ${quoted(name)} have the same token. Give each its own.`,
      );
    this.#entries.set(id, { digest, principal });
  }

  #keyed(digest: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(digest).digest();
  }
}
