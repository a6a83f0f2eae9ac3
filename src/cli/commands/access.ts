import process from "node:process";
import { Argument, Command, InvalidArgumentError } from "commander";
import { loggableText } from "../../core/internal.ts";
import {
  type AccessAction,
  type AccessDecision,
  type AccessRequest,
  accessActions,
  actionResources,
  openQuotaRules,
  openRuleFile,
  type RoleThatMay,
} from "../../security/internal.ts";
import { type PrintFlags, print } from "../printing.ts";

export interface CheckFlags extends PrintFlags {
  readonly rules: string;
  readonly principal?: string;
  readonly role?: readonly string[];
  readonly agent?: string;
}

/** A decision, and after a denial the role that is missing. */
export interface CheckedAccess extends AccessDecision {
  /** Left out: no role helps, or the command names roles. */
  readonly byRole?: RoleThatMay | undefined;
}

/** The exit code of a check whose outcome is: denied. */
export const deniedCode = 3;

/** The command `troupe access`. */
export function accessCommand(): Command {
  return new Command("access").description("Explain what the rules of a host allow").addCommand(
    new Command("check")
      .description(`Say whether rules allow something, and by which rule; the exit code of a denial is ${deniedCode}`)
      .addArgument(new Argument("<action>", "what somebody wants to do").choices([...accessActions]))
      .argument(
        "<name>",
        `agent type, or topic type for ${topicActions}; after subscribe, a * at the end is all topics that begin so`,
        notEmpty,
      )
      .requiredOption("--rules <file>", "the file of the rules, as troupe host takes it")
      .option("--principal <name>", "who wants to do it; left out: a caller without a name", notEmpty)
      .option("--role <roles>", "roles of the principal, with commas between them", (text) => notEmpty(text).split(","))
      .option("--agent <type>", "the agent type that sends the call or the event", notEmpty)
      .option("--json", "print JSON", false)
      .action(async (action: AccessAction, name: string, flags: CheckFlags) => {
        const decision = await checkAccess(action, name, flags);
        print(flags, decision, (decided) => textOf(decided, requestOf(action, name, flags)));
        if (!decision.isAllowed) process.exitCode = deniedCode;
      }),
  );
}

/** Refuses what a shell makes of a variable that is not set: the answer would be about another caller. */
function notEmpty(text: string): string {
  if (text === "") throw new InvalidArgumentError("It is empty.");
  return text;
}

/** Decides as a host with these rules does. */
export async function checkAccess(action: AccessAction, name: string, flags: CheckFlags): Promise<CheckedAccess> {
  const rules = await openRuleFile({ file: flags.rules });
  // A host with this file reads the quotas beside the rules, and would not start with wrong ones.
  await openQuotaRules({ file: flags.rules });
  const request = requestOf(action, name, flags);
  const decision = rules.decide(request);
  // The file does not say which roles a principal has: those are in its token.
  const byRole = decision.isAllowed || flags.role !== undefined ? undefined : rules.roleThatMay(request);
  return byRole === undefined ? decision : { ...decision, byRole };
}

function requestOf(action: AccessAction, name: string, { principal, role, agent }: CheckFlags): AccessRequest {
  const isPrefix = action === "subscribe" && name.endsWith("*");
  return {
    principal: principal === undefined ? undefined : { name: principal, roles: role },
    ...{ action, isPrefix, agent, resource: isPrefix ? name.slice(0, -1) : name },
  };
}

/** Says what was decided, and by what. */
export function textOf(
  { isAllowed, rule, place, byRole }: CheckedAccess,
  { principal, action, resource, isPrefix }: AccessRequest,
): string {
  const who = principal === undefined ? "a caller without a name" : loggableText(principal.name);
  const what = `${who} ${isAllowed ? "may" : "may not"} ${action} ${loggableText(resource)}${isPrefix ? "*" : ""}`;
  if (byRole !== undefined) {
    const [role, named] = [loggableText(byRole.role), loggableText(byRole.rule)];
    return `denied: ${what} without a role; the rule ${named} allows it to ${role}. Name the roles of the caller with --role`;
  }
  if (rule === undefined) return `denied: ${what}; no rule allows it`;
  const by = `the rule ${loggableText(rule)}${place === undefined ? "" : ` (${place})`}`;
  return isAllowed ? `allowed: ${what} by ${by}` : `denied: ${what} by ${by}`;
}

const topicActions = accessActions.filter((action) => actionResources[action] === "topics").join(" and ");
