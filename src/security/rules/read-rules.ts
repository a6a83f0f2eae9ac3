import { nearestName, quoted, TroupeError } from "../../core/internal.ts";
import { longestName } from "../principal.ts";
import { type AccessAction, accessActions, actionResources, type ReadRule } from "./access-rule.ts";

/** A list of rules as a file or a program gives it. `lines` has the line of each; `file` names the file. */
export interface UnreadRules {
  readonly rules: unknown;
  readonly file?: string | undefined;
  readonly lines?: readonly (number | undefined)[] | undefined;
  /** The quotas of the same file. Undefined: it has none. */
  readonly quotas?: unknown;
  readonly quotaLines?: readonly (number | undefined)[] | undefined;
}

export const ruleBounds = { rules: 1_000, names: 100 } as const;

const fields = ["name", "principal", "role", "agent", "allow", "deny", "types", "topics"] as const;

/** Checks a list of rules. Throws `invalid-argument` with the rule, its line and what to write instead. */
export function readRules({ rules, file, lines }: UnreadRules): readonly ReadRule[] {
  if (!Array.isArray(rules)) throw invalid("The rules are not a list. Write rules: and a list of them below.");
  if (rules.length > ruleBounds.rules)
    throw invalid(`There are ${rules.length} rules; ${ruleBounds.rules} is the most.`);
  const names = new Set<string>();
  return rules.map((rule: unknown, index) => {
    const line = lines?.[index];
    const place = file === undefined ? undefined : line === undefined ? file : `${file}:${line}`;
    const read = readRule(rule, { name: `rule ${index + 1}`, place });
    if (names.has(read.name)) throw invalid(`${atOf(read)}: another rule has this name. Give each its own.`);
    names.add(read.name);
    return read;
  });
}

function readRule(rule: unknown, { name, place }: Pick<ReadRule, "name" | "place">): ReadRule {
  const at = atOf({ name, place });
  if (typeof rule !== "object" || rule === null || Array.isArray(rule))
    throw invalid(`${at}: it is not a rule. Write, for example: { role: worker, allow: call, types: "*" }.`);
  const given: Readonly<Record<string, unknown>> = { ...rule };
  for (const field of Object.keys(given)) {
    if ((fields as readonly string[]).includes(field)) continue;
    const nearest = nearestName(field, fields);
    const help = nearest === undefined ? `A rule has ${fields.join(", ")}.` : `Did you mean ${nearest}?`;
    throw invalid(`${at}: unknown field ${quoted(field)}. ${help}`);
  }
  const read = (field: (typeof fields)[number]): readonly string[] | undefined => namesOf(given[field], field, at);
  const named = given.name ?? name;
  if (
    typeof named !== "string" ||
    named === "" ||
    named.length > 100 ||
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(named)
  )
    throw invalid(`${at}: the name of a rule has 1 to 100 characters, and no control characters.`);
  const [principals, roles, agents] = [read("principal"), read("role"), read("agent")];
  if (principals === undefined && roles === undefined && agents === undefined)
    throw invalid(`${at}: it names no caller. Name a principal, a role or an agent; principal: "*" is everybody.`);
  const allows = given.allow !== undefined;
  if (allows === (given.deny !== undefined)) throw invalid(`${at}: it needs either allow or deny.`);
  const actions = actionsOf(read(allows ? "allow" : "deny") ?? [], at);
  const resources = { types: read("types"), topics: read("topics") };
  for (const kind of ["types", "topics"] as const) {
    const about = actions.filter((action) => actionResources[action] === kind);
    if (about.length > 0 && resources[kind] === undefined)
      throw invalid(`${at}: ${about.join(", ")} needs ${kind}; ${kind}: "*" is all of them.`);
    if (about.length === 0 && resources[kind] !== undefined)
      throw invalid(`${at}: none of its actions is about ${kind}. Leave ${kind} out, or add an action.`);
  }
  if (agents !== undefined) assertSendable(actions, at);
  const { types = [], topics = [] } = resources;
  return { name: named, place, allows, actions, principals, roles, agents, types, topics };
}

/** Only messages have an agent that sends them. */
function assertSendable(actions: readonly AccessAction[], at: string): void {
  const others = actions.filter((action) => action !== "call" && action !== "publish");
  if (others.length === 0) return;
  throw invalid(`${at}: agent goes with call and publish alone, and not with ${others.join(", ")}.`);
}

function actionsOf(names: readonly string[], at: string): readonly AccessAction[] {
  if (names.includes("*")) return accessActions;
  return names.map((name) => {
    const action = accessActions.find((one) => one === name);
    if (action !== undefined) return action;
    const nearest = nearestName(name, accessActions);
    const help = nearest === undefined ? `The actions are ${accessActions.join(", ")}.` : `Did you mean ${nearest}?`;
    throw invalid(`${at}: unknown action ${quoted(name)}. ${help}`);
  });
}

/** Reads one name, or several. Throws `invalid-argument`; `at` names the entry. */
export function namesOf(value: unknown, field: string, at: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (names.length === 0 || names.length > ruleBounds.names)
    throw invalid(`${at}: ${field} has ${names.length} names; write 1 to ${ruleBounds.names}.`);
  return names.map((name) => {
    if (typeof name !== "string" || name === "" || name.length > longestName)
      throw invalid(`${at}: a name in ${field} is not a text of 1 to ${longestName} characters. Put it in quotes.`);
    if (name.slice(0, -1).includes("*"))
      throw invalid(
        `${at}: ${quoted(name)} in ${field} has a * that is not at its end. Only there it stands for any rest.`,
      );
    return name;
  });
}

function atOf({ name, place }: Pick<ReadRule, "name" | "place">): string {
  return place === undefined ? quoted(name) : `${quoted(name)} (${place})`;
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", text);
}
