import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from "jose";
import type { Clock } from "../../core/internal.ts";

/** Reads the keys of an issuer. It rejects after a time of its own. */
export type FetchKeys = () => Promise<JSONWebKeySet>;

/** The keys can't be read, or a key is not among them yet. */
export class KeysUnavailable extends Error {}

export interface KeySetParts {
  readonly fetchKeys: FetchKeys;
  readonly clock: Clock;
  /** Milliseconds after which keys are read again. */
  readonly refreshMs: number;
  /** Milliseconds between two readings at least, so that tokens with invented key ids can't make the host ask again and again. */
  readonly pauseMs: number;
  /** Milliseconds for which keys are used that can't be read again. */
  readonly keepMs: number;
}

type FindKey = ReturnType<typeof createLocalJWKSet>;

/**
 * The keys of an issuer, kept. They are read again when they are old. They are read, too, when a token names a key that is not among them, since the issuer
 * may have a new one. There is one reading at a time, however many callers wait. Old keys stay in use while the issuer can't be reached.
 */
export class KeySet {
  readonly #parts: KeySetParts;
  #find: FindKey | undefined;
  #readAtMs = 0;
  #triedAtMs: number | undefined;
  #reading: Promise<void> | undefined;

  constructor(parts: KeySetParts) {
    this.#parts = parts;
  }

  /** Returns the key of a token. Rejects with `KeysUnavailable` if the caller may try again, and with the error of `jose` if there is no such key. */
  readonly keyOf = async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    const find = await this.#current();
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // A new key of the issuer may be younger than the last reading: then the caller tries again.
      if (!this.#mayRead())
        throw new KeysUnavailable("the key of its token is not among those that were read just now");
      await this.#read();
      return (this.#find ?? find)(header, token);
    }
  };

  async #current(): Promise<FindKey> {
    const { clock, refreshMs, keepMs } = this.#parts;
    const ageMs = clock.now() - this.#readAtMs;
    if (this.#find !== undefined && ageMs < refreshMs) return this.#find;
    if (this.#find !== undefined && ageMs < keepMs) {
      // No caller waits for it.
      if (this.#mayRead()) void this.#read().catch(() => undefined);
      return this.#find;
    }
    if (!this.#mayRead() && this.#reading === undefined)
      throw new KeysUnavailable("the keys of the issuer could not be read just now");
    await this.#read();
    if (this.#find === undefined) throw new KeysUnavailable("the keys of the issuer can't be read");
    return this.#find;
  }

  #mayRead(): boolean {
    return this.#triedAtMs === undefined || this.#parts.clock.now() - this.#triedAtMs >= this.#parts.pauseMs;
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    const { fetchKeys, clock } = this.#parts;
    this.#triedAtMs = clock.now();
    let find: FindKey;
    try {
      find = createLocalJWKSet(await fetchKeys());
    } catch (cause) {
      throw new KeysUnavailable("the keys of the issuer can't be read", { cause });
    }
    this.#find = find;
    this.#readAtMs = clock.now();
  }
}
