import { nearestName, quoted, TroupeError } from "../../core/internal.ts";
import { namesOf } from "../rules/read-rules.ts";
import { type QuotaLimit, type QuotaLimits, quotaLimits } from "./quota-rule.ts";

/** An entry that was checked. */
export interface ReadQuota {
  readonly principals: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly addresses: readonly string[] | undefined;
  readonly limits: QuotaLimits;
}

/** A list of quotas as a file or a program gives it. `lines` has the line of each; `file` names the file. */
export interface UnreadQuotas {
  readonly quotas: unknown;
  readonly file?: string | undefined;
  readonly lines?: readonly (number | undefined)[] | undefined;
}

const mostQuotas = 1_000;
/** The largest limit. Sums of it are still whole numbers. */
const mostOfLimit = 2 ** 50;
const fields = ["principal", "role", "address", ...quotaLimits] as const;

/** Checks a list of quotas. Throws `invalid-argument` with the entry, its line and what to write instead. */
export function readQuotas({ quotas, file, lines }: UnreadQuotas): readonly ReadQuota[] {
  if (!Array.isArray(quotas)) throw invalid("The quotas are not a list. Write quotas: and a list of them below.");
  if (quotas.length > mostQuotas) throw invalid(`There are ${quotas.length} quotas; ${mostQuotas} is the most.`);
  return quotas.map((quota: unknown, index) => {
    const line = lines?.[index];
    const place = file === undefined ? "" : ` (${line === undefined ? file : `${file}:${line}`})`;
    return readQuota(quota, `quota ${index + 1}${place}`);
  });
}

function readQuota(quota: unknown, at: string): ReadQuota {
  if (typeof quota !== "object" || quota === null || Array.isArray(quota))
    throw invalid(`${at}: it is not a quota. Write, for example: { principal: "*", messagesPerSecond: 1000 }.`);
  const given: Readonly<Record<string, unknown>> = { ...quota };
  for (const field of Object.keys(given)) {
    if ((fields as readonly string[]).includes(field)) continue;
    const nearest = nearestName(field, fields);
    const help = nearest === undefined ? `A quota has ${fields.join(", ")}.` : `Did you mean ${nearest}?`;
    throw invalid(`${at}: unknown field ${quoted(field)}. ${help}`);
  }
  const principals = namesOf(given.principal, "principal", at);
  const roles = namesOf(given.role, "role", at);
  const addresses = namesOf(given.address, "address", at);
  if (principals === undefined && roles === undefined && addresses === undefined)
    throw invalid(`${at}: it is for nothing. Name a principal, a role or an address; "*" is each of them.`);
  if (addresses !== undefined && (principals !== undefined || roles !== undefined))
    throw invalid(`${at}: it names an address beside a principal or a role. Write an entry for each.`);
  if (addresses === undefined && given.connections !== undefined)
    throw invalid(`${at}: connections is for addresses alone. Limit the channels of principals and roles.`);
  const limits: { [Limit in QuotaLimit]?: number } = {};
  for (const limit of quotaLimits) {
    const value = given[limit];
    if (value === undefined) continue;
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > mostOfLimit)
      throw invalid(`${at}: ${limit} must be a whole number from 1 to ${mostOfLimit}. Leave it out for no limit.`);
    limits[limit] = value;
  }
  if (Object.keys(limits).length === 0)
    throw invalid(`${at}: it limits nothing. Name one of ${quotaLimits.join(", ")}.`);
  return { principals, roles, addresses, limits };
}

function invalid(text: string): TroupeError {
  return new TroupeError("invalid-argument", text);
}
