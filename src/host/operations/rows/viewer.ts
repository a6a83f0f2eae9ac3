import { type AccessAction, type AccessRules, isPrincipalName, type Principal } from "../../../security/internal.ts";

interface RightsOptions {
  /** True: all names that begin with it. */
  readonly isPrefix?: boolean;
}

/** The operator, or the principal, that looks at a host, and what it may see. */
export interface Viewer {
  /** Undefined: the operator of a host's machine, who may see everything. */
  readonly principal: Principal | undefined;
  may(action: ViewAction, name: string, options?: RightsOptions): boolean;
}

type ViewAction = Extract<AccessAction, "see" | "watch" | "administer">;

const operator: Viewer = { principal: undefined, may: () => true };

/** Returns what a principal may see by the rules of a host. Without rules it may see nothing. Undefined: the operator asks. */
export function viewerOf(principal: Principal | undefined, rules: AccessRules | undefined): Viewer {
  if (principal === undefined) return operator;
  return {
    principal,
    may: (action, resource, { isPrefix } = {}) => {
      try {
        return rules?.decide({ principal, action, resource, isPrefix }).isAllowed === true;
      } catch {
        // Rules of the user's own may throw. What can't be decided is denied.
        return false;
      }
    },
  };
}

/** Whether a viewer may see agents of every type, and so the host itself. */
export function seesAll(viewer: Viewer): boolean {
  return viewer.may("see", "", { isPrefix: true });
}

/** Roles and attributes of a principal that another host may tell, and characters of each. */
const mostParts = 1_000;
const partChars = 1_024;

/** Reads the principal for which another host asks. Null: the bytes tell something else. Undefined: the operator of that host asks. */
export function readPrincipal(value: unknown): Principal | undefined | null {
  if (value === undefined) return undefined;
  if (!isRecord(value)) return null;
  const { name, roles = [], attributes = {} } = value;
  if (!isPrincipalName(name) || !Array.isArray(roles) || !isRecord(attributes)) return null;
  const parts = [...roles, ...Object.entries(attributes).flat()];
  // Rules may deny by a role: one without all of its roles might see more.
  if (parts.length > mostParts || !parts.every(isPart)) return null;
  // Each of them was checked.
  return { name, roles: roles as string[], attributes: attributes as Record<string, string> };
}

function isPart(value: unknown): boolean {
  return typeof value === "string" && value.length <= partChars;
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
