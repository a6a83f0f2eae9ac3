import {
  assertOptions,
  type Clock,
  clock as clockKind,
  fields,
  type Logger,
  listOf,
  logger as loggerKind,
  optionShape,
  systemClock,
  TroupeError,
  text,
} from "../core/internal.ts";
import { type Authentication, type Authenticator, bearerTokenOf, type Caller } from "./authenticator.ts";
import { FollowedFile } from "./followed-file.ts";
import { type NamedToken, parseTokens } from "./token-list.ts";
import { TokenTable } from "./token-table.ts";

/** Options of `tokenAuthenticator`. Name exactly one of `tokens`, `text` and `file`. */
export interface TokenAuthenticatorOptions {
  readonly tokens?: readonly NamedToken[] | undefined;
  /** A list as in `file`, such as that of an environment variable. A semicolon ends a line, too. */
  readonly text?: string | undefined;
  /** A file with lines `NAME TOKEN [ROLE,ROLE…]`. It is read again when it has changed, at the next call after a second. */
  readonly file?: string | undefined;
  /** Says that the file was read again, or can't be. Default: no log. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

const shape = optionShape<TokenAuthenticatorOptions>({
  tokens: listOf(fields),
  text,
  file: text,
  logger: loggerKind,
  clock: clockKind,
});

/**
 * Knows callers by tokens: `authorization: Bearer …`. Several tokens may name one principal. To replace one, add the new one, give it to the
 * workers, and take the old one out. A stream that is open stays open. Throws `invalid-argument` for tokens that can't be used.
 *
 * @example
 * ```ts
 * const authenticator = tokenAuthenticator({ file: "troupe.tokens" }); // writer 6f1d… worker
 * await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { authenticator });
 * ```
 */
export function tokenAuthenticator(options: TokenAuthenticatorOptions): Authenticator {
  assertOptions(options, shape, "tokenAuthenticator");
  const tableOf = tableSource(options);
  return {
    reads: "token",
    authenticate(caller: Caller): Authentication {
      const token = bearerTokenOf(caller);
      if (token === undefined) return { at: "unknown", reason: "it shows no token" };
      const principal = tableOf().find(token);
      return principal === undefined ? { at: "unknown", reason: "its token is not known" } : { at: "known", principal };
    },
  };
}

function tableSource({ tokens, text: list, file, logger, clock }: TokenAuthenticatorOptions): () => TokenTable {
  if ([tokens, list, file].filter((given) => given !== undefined).length !== 1)
    throw new TroupeError("invalid-argument", "tokenAuthenticator takes exactly one of tokens, text and file.");
  if (file !== undefined) {
    const parse = (content: string): TokenTable => filled(new TokenTable(parseTokens(content)));
    const followed = new FollowedFile({ file, what: "the tokens", parse, clock: clock ?? systemClock, logger });
    return () => followed.value;
  }
  const table = filled(new TokenTable(tokens ?? parseTokens(list ?? "")));
  return () => table;
}

/** With an empty list every caller would be refused. A file that is being written may be empty for a moment. */
function filled(table: TokenTable): TokenTable {
  if (table.size > 0) return table;
  throw new TroupeError("invalid-argument", "There is no token. Write a line: NAME TOKEN [ROLE,ROLE…].");
}
