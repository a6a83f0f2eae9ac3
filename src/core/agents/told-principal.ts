import type { OptionKinds } from "../validation/assert-options.ts";
import { flag } from "../validation/option-kinds.ts";
import { wrongValue } from "../validation/option-values.ts";

/** Whether an agent type hears who calls it. The in-process runtime needs no such option: its agents have one principal. */
export interface PrincipalOptions {
  /**
   * Whether the host tells handlers of this type the principal of each caller, as `context.principal`. Default: what the class says
   * (`static tellsPrincipal`), else false.
   */
  readonly tellsPrincipal?: boolean | undefined;
}

export const principalKinds: OptionKinds<PrincipalOptions> = { tellsPrincipal: flag };

/** Returns these options alone. */
export function principalOptionsOf({ tellsPrincipal }: PrincipalOptions): PrincipalOptions {
  return { tellsPrincipal };
}

/** Whether a type hears who calls it. Throws `invalid-argument` for a static property of another kind. */
export function tellsPrincipal(options: PrincipalOptions, agentClass: unknown): boolean {
  if (options.tellsPrincipal !== undefined) return options.tellsPrincipal;
  if (typeof agentClass !== "function" || !("tellsPrincipal" in agentClass)) return false;
  const ofClass: unknown = agentClass.tellsPrincipal;
  if (ofClass === undefined || typeof ofClass === "boolean") return ofClass === true;
  throw wrongValue(`The static tellsPrincipal of class ${agentClass.name} must be ${flag.expected}`, ofClass);
}
