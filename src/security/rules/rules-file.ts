import {
  assertObject,
  assertOptions,
  type Clock,
  clock as clockKind,
  type Logger,
  logger as loggerKind,
  optionShape,
  systemClock,
  TroupeError,
  text,
} from "../../core/internal.ts";
import { FollowedFile } from "../followed-file.ts";
import { type ReadQuota, readQuotas } from "../quotas/read-quotas.ts";
import type { ReadRule } from "./access-rule.ts";
import { readRules, type UnreadRules } from "./read-rules.ts";
import { loadRulesParser } from "./rules-text.ts";

/** Options of a function that opens rules or quotas in a file. */
export interface RulesFileOptions {
  readonly file: string;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** The two lists of a file. Undefined: it has no such list. */
export interface RulesOfFile {
  readonly rules: readonly ReadRule[] | undefined;
  readonly quotas: readonly ReadQuota[] | undefined;
}

interface Reading<Value> {
  /** The function that a user has called. */
  readonly caller: string;
  /** The list that is read. What is wrong in it is said before what is wrong in the other one. */
  readonly list: "rules" | "quotas";
  readonly make: (lists: RulesOfFile) => Value;
}

const shape = optionShape<RulesFileOptions>({ file: text, logger: loggerKind, clock: clockKind });

/**
 * Follows a file of rules and quotas. Both lists are checked together, so that a file of which one can't be used changes neither. Rejects with
 * `invalid-argument` for one that can't be used at the start.
 */
export async function followRulesFile<Value>(
  options: RulesFileOptions,
  { caller, list, make }: Reading<Value>,
): Promise<FollowedFile<Value>> {
  assertObject(options, `The options of ${caller}, { file },`);
  assertOptions(options, shape, caller);
  const { file, logger, clock } = options;
  if (typeof file !== "string" || file === "")
    throw new TroupeError("invalid-argument", `${caller} needs the name of a file: { file }.`);
  const parse = await loadRulesParser(file);
  return new FollowedFile({
    ...{ file, what: `the ${list}`, clock: clock ?? systemClock, logger },
    parse: (content) => make(readLists(parse(content), list)),
  });
}

function readLists(unread: UnreadRules, list: "rules" | "quotas"): RulesOfFile {
  const { rules, quotas, quotaLines, file } = unread;
  const rulesOf = () => (rules === undefined ? undefined : readRules(unread));
  const quotasOf = () => (quotas === undefined ? undefined : readQuotas({ quotas, file, lines: quotaLines }));
  return list === "rules" ? { rules: rulesOf(), quotas: quotasOf() } : { quotas: quotasOf(), rules: rulesOf() };
}
