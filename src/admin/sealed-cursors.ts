import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** Bytes of the nonce, and of the tag of AES-GCM. */
const [nonceBytes, tagBytes] = [12, 16];
/** A place is filled up to a multiple of this length, which tells nothing of the length of a name. */
const stepBytes = 256;

/**
 * Hides the places of lists from clients. A place may name a row that its client may not see. The client hands the sealed text back; it can
 * neither read nor make one. Texts of another process are none.
 */
export class SealedCursors {
  readonly #key = randomBytes(32);

  /** `list` names the list that the place is of. */
  seal(place: string, list: string): string {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(list));
    // Spaces behind it: a place has none.
    const filled = place.padEnd(Math.ceil(place.length / stepBytes) * stepBytes, " ");
    const hidden = Buffer.concat([cipher.update(filled, "latin1"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), hidden]).toString("base64url");
  }

  /** Undefined: the text is not a sealed place of this list. */
  open(text: string, list: string): string | undefined {
    const bytes = Buffer.from(text, "base64url");
    const [nonce, tag] = [bytes.subarray(0, nonceBytes), bytes.subarray(nonceBytes, nonceBytes + tagBytes)];
    if (tag.length < tagBytes) return undefined;
    const cipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(list)).setAuthTag(tag);
    const hidden = bytes.subarray(nonceBytes + tagBytes);
    try {
      return Buffer.concat([cipher.update(hidden), cipher.final()])
        .toString("latin1")
        .trimEnd();
    } catch {
      return undefined;
    }
  }
}
