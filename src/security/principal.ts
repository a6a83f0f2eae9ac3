/** The owner of a stream or a call, as the host has found out. A stream keeps its principal for life, and a client id belongs to the principal that used it first. */
export interface Principal {
  /**
   * Names the principal in logs, in `inspect()` and to observers. Not empty. Two principals with one name are the same, whatever
   * their roles and attributes.
   */
  readonly name: string;
  readonly roles?: readonly string[] | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** The thing by which an authenticator of Troupe's knows it. It says nothing of who the principal is. */
  readonly knownBy?: "token" | "jwt" | "certificate" | undefined;
}

/** Whether two callers are the same: by name, or both without a principal. */
export function isSamePrincipal(one: Principal | undefined, other: Principal | undefined): boolean {
  return one?.name === other?.name;
}

/** Characters of a principal's name at most: names are kept with all that a principal registers, and logged. */
export const longestName = 512;

/** Whether a text can be a principal's name. One with line ends could be read as several lines of a log. */
export function isPrincipalName(text: unknown): text is string {
  return typeof text === "string" && text !== "" && text.length <= longestName && !controls.test(text);
}

const controls = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/u;
