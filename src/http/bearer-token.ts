import { createHash, timingSafeEqual } from "node:crypto";

/** A token that a client shows as `Authorization: Bearer …`. The time of a comparison says nothing of the token. */
export class BearerToken {
  readonly #digest: Buffer;

  /** Throws for an empty text, which every client could show. */
  constructor(token: string) {
    if (token === "") throw new TypeError("A token must not be empty.");
    this.#digest = digestOf(token);
  }

  /** Whether a header shows this token. */
  isShownBy(authorization: string | undefined): boolean {
    const [, shown] = /^bearer ([\x21-\x7e]+)$/i.exec(authorization ?? "") ?? [];
    return shown !== undefined && timingSafeEqual(digestOf(shown), this.#digest);
  }
}

/** Digests have one length, which the comparison needs. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
