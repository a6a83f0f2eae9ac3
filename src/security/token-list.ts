import { quoted, TroupeError } from "../core/internal.ts";
import { isPrincipalName, longestName } from "./principal.ts";

/** A token, and the principal that shows it. */
export interface NamedToken {
  /** The name of the principal. Several tokens may have one name: while one is replaced by another, both are valid. */
  readonly name: string;
  /** The token itself, of 16 characters or more; or `sha256:` and 64 hexadecimal digits, so that the list has no secrets. */
  readonly token: string;
  readonly roles?: readonly string[] | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** Tokens of one list. */
export const mostTokens = 10_000;
const shortestToken = 16;
const longestToken = 4_096;
const digestMark = "sha256:";
const tokenHelp = "Make one with: openssl rand -hex 32.";

/**
 * Reads a list of tokens. Each line has a name, a token and, if there are any, roles with commas between them. Blanks stand between the
 * three. A semicolon ends a line, too, for lists in environment variables. `#` begins a line that is not read. Throws
 * `invalid-argument` with the number of a line that can't be read; the error never has the token.
 */
export function parseTokens(text: string): readonly NamedToken[] {
  const tokens: NamedToken[] = [];
  for (const [index, line] of text.split(/\r?\n|;/).entries()) {
    const [name, token, roles, ...rest] = line.trim().split(/\s+/);
    if (name === undefined || name === "" || name.startsWith("#")) continue;
    const at = `Line ${index + 1} of the tokens`;
    if (token === undefined || rest.length > 0) throw invalid(`${at} is not: NAME TOKEN [ROLE,ROLE…].`);
    const entry = { name, token, roles: roles?.split(",").filter((role) => role !== "") };
    assertToken(entry, at);
    tokens.push(entry);
  }
  return tokens;
}

/** Throws `invalid-argument` for a token that can't be used. `at` begins the text. */
export function assertToken({ name, token }: NamedToken, at: string): void {
  if (!isPrincipalName(name))
    throw invalid(`${at}: the name of a principal has 1 to ${longestName} characters, and no control characters.`);
  if (typeof token !== "string" || /[^\x21-\x7e]/.test(token))
    throw invalid(`${at}: the token of ${quoted(name)} has characters that no header carries. ${tokenHelp}`);
  if (token.startsWith(digestMark)) {
    if (/^[0-9a-f]{64}$/i.test(token.slice(digestMark.length))) return;
    throw invalid(`${at}: the token of ${quoted(name)} begins with ${digestMark}; 64 hexadecimal digits must follow.`);
  }
  if (token.length < shortestToken || token.length > longestToken)
    throw invalid(
      `${at}: the token of ${quoted(name)} must have ${shortestToken} to ${longestToken} characters, so that it can't be guessed. ${tokenHelp}`,
    );
}

/** The SHA-256 that a token gives itself in hexadecimal digits. Undefined: it is the token itself. */
export function digestOf(token: string): string | undefined {
  return token.startsWith(digestMark) ? token.slice(digestMark.length) : undefined;
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", text);
}
