import { type Clock, type Logger, withMethods } from "../../core/internal.ts";
import type { Principal } from "../principal.ts";
import { followRulesFile } from "../rules/rules-file.ts";
import { type QuotaLimit, type QuotaLimits, type QuotaRule, quotaLimits } from "./quota-rule.ts";
import { type ReadQuota, readQuotas } from "./read-quotas.ts";

/** Says how much principals and addresses may have and do at a host. A host asks when a stream opens, and when the revision changes. */
export interface Quotas {
  /** Another value than before: limits may be others than before. A host reads it for each message, so that it must be cheap. */
  readonly revision: unknown;
  ofPrincipal(principal: Principal): QuotaLimits;
  /** `address`: an IPv4 address, the network of an IPv6 address (`2001:db8:0:1::/64`), or `local socket`. */
  ofAddress(address: string): QuotaLimits;
}

export const quotasKind = withMethods("quotas, such as quotaRules([…]),", "ofPrincipal", "ofAddress");

/**
 * Makes quotas of data. Of each limit the first entry counts that fits and names it, so put special ones first. Throws `invalid-argument` for
 * quotas that can't be used.
 *
 * @example
 * ```ts
 * const quotas = quotaRules([
 *   { role: "batch", messagesPerSecond: 100 },
 *   { principal: "*", channels: 20, messagesPerSecond: 2_000, bytesPerSecond: 16 * 1024 * 1024 },
 *   { address: "*", channels: 100 },
 * ]);
 * ```
 */
export function quotaRules(quotas: readonly QuotaRule[]): Quotas {
  const read = readQuotas({ quotas });
  return new QuotaList(() => read);
}

/** Options of `openQuotaRules`. */
export interface OpenQuotaRulesOptions {
  /**
   * A file in YAML, or in JSON if its name ends with `.json`; it may be that of `openAccessRules`. The host reads it again when it has changed, at
   * the next question after a second.
   */
  readonly file: string;
  /** Says that the file was read again, or can't be. Default: no log. */
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Opens quotas in a file: `quotas:` and a list of them, as `quotaRules` takes it. A file without `quotas:` limits nothing. YAML needs the package
 * `yaml`. A file that can't be used any more changes nothing, and the log says why. Rejects with `invalid-argument` for one that can't be used at
 * the start.
 */
export async function openQuotaRules(options: OpenQuotaRulesOptions): Promise<Quotas> {
  const followed = await followRulesFile(options, {
    ...{ caller: "openQuotaRules", list: "quotas" },
    make: ({ quotas }) => quotas ?? [],
  });
  return new QuotaList(() => followed.value);
}

class QuotaList implements Quotas {
  readonly #list: () => readonly ReadQuota[];

  constructor(list: () => readonly ReadQuota[]) {
    this.#list = list;
  }

  get revision(): unknown {
    return this.#list();
  }

  ofPrincipal({ name, roles = [] }: Principal): QuotaLimits {
    return firstLimits(this.#list(), ({ principals, roles: ofRoles, addresses }) => {
      if (addresses !== undefined || (principals !== undefined && !fits(principals, name))) return false;
      return ofRoles === undefined || roles.some((role) => fits(ofRoles, role));
    });
  }

  ofAddress(address: string): QuotaLimits {
    return firstLimits(this.#list(), ({ addresses }) => addresses !== undefined && fits(addresses, address));
  }
}

function firstLimits(list: readonly ReadQuota[], isFor: (quota: ReadQuota) => boolean): QuotaLimits {
  const found: { [Limit in QuotaLimit]?: number } = {};
  for (const quota of list)
    if (isFor(quota))
      for (const limit of quotaLimits) {
        const value = found[limit] ?? quota.limits[limit];
        if (value !== undefined) found[limit] = value;
      }
  return found;
}

function fits(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
}
