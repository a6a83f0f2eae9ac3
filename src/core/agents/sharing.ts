import { TroupeError } from "../errors.ts";
import type { OptionKinds } from "../validation/assert-options.ts";
import { flag, type OptionKind, word } from "../validation/option-kinds.ts";
import { describe, wrongValue } from "../validation/option-values.ts";

/**
 * The strategy by which a host chooses the worker for an agent of a shared type. `hash`: by the agent's key and the worker's name, so that the same
 * worker gets it again. `least-loaded`: of two workers at random, the one with less to do. `round-robin`: one worker after the
 * other. `prefer-local`: the worker that sends the first message, if it serves the type; else as `hash`.
 */
export type AgentPlacement = "hash" | "least-loaded" | "round-robin" | "prefer-local";

/** Labels of a worker by name, such as `{ gpu: "true" }`. */
export type WorkerLabels = { readonly [name: string]: string };

/** Options of an agent type that several workers may serve. All are optional. The in-process runtime needs none of them. */
export interface SharingOptions {
  /**
   * Whether other workers may serve the type as well. The host then places each agent with one of them, and the agent stays there.
   * All workers of the type must say so. Default: what the class says (`static shared`), else false.
   */
  readonly shared?: boolean | undefined;
  /**
   * The strategy by which the host chooses a worker for an agent's first message. The first worker of a type decides for all. Default: what the class
   * says (`static placement`), else what the host says, which is `hash`.
   */
  readonly placement?: AgentPlacement | undefined;
  /**
   * Labels that a worker must have to get agents of the type, at most 16. The first worker of a type decides for all.
   * Default: what the class says (`static requires`), else none.
   */
  readonly requires?: WorkerLabels | undefined;
}

export const placements: readonly AgentPlacement[] = ["hash", "least-loaded", "round-robin", "prefer-local"];

/** Bounds of labels: how many, and the characters of a name and of a value. */
export const labelBounds = { count: 16, chars: 64 } as const;

const labelName = /^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i;

/** Returns what is wrong with labels, as the end of a sentence; undefined: nothing. */
export function whyInvalidLabels(labels: WorkerLabels): string | undefined {
  const all = Object.entries(labels);
  if (all.length > labelBounds.count) return `has ${all.length} labels; at most ${labelBounds.count} are possible`;
  for (const [name, value] of all) {
    if (name.length > labelBounds.chars || !labelName.test(name))
      return `has the label name ${JSON.stringify(name.slice(0, labelBounds.chars))}; a name is at most ${labelBounds.chars} letters, digits, ".", "_" and "-"`;
    if (typeof value !== "string" || value.length > labelBounds.chars)
      return `has the label ${name}, whose value must be a text of at most ${labelBounds.chars} characters, not ${describe(value)}`;
  }
  return undefined;
}

export const labelsKind: OptionKind = {
  expected: 'an object of texts, { gpu: "true" }',
  accepts: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  assertInside: (value, name) => {
    // Each value has its own check.
    const why = whyInvalidLabels(value as WorkerLabels);
    if (why !== undefined) throw new TroupeError("invalid-argument", `The option ${name} ${why}.`);
  },
};

const placementKind = word(...placements);

export const sharingKinds: OptionKinds<SharingOptions> = {
  shared: flag,
  placement: placementKind,
  requires: labelsKind,
};

/** Returns the sharing options alone. */
export function sharingOptionsOf({ shared, placement, requires }: SharingOptions): SharingOptions {
  return { shared, placement, requires };
}

/** The terms under which a worker shares an agent type. */
export interface SharingTerms {
  /** Undefined: the host's. */
  readonly placement: AgentPlacement | undefined;
  readonly requires: WorkerLabels;
}

const noLabels: WorkerLabels = {};

/**
 * Returns the terms of a type, from the options of its registration and the static properties of its class. Undefined: the type is not
 * shared. Throws `invalid-argument` for static properties of a wrong kind.
 */
export function sharingTerms(options: SharingOptions, agentClass: unknown): SharingTerms | undefined {
  const ofClass = staticSharing(agentClass);
  if ((options.shared ?? ofClass.shared) !== true) return undefined;
  const { placement = ofClass.placement, requires = ofClass.requires ?? noLabels } = options;
  return { placement, requires };
}

function staticSharing(agentClass: unknown): SharingOptions {
  if (typeof agentClass !== "function") return {};
  // Each value is checked below.
  const { shared, placement, requires } = agentClass as unknown as SharingOptions;
  const found: SharingOptions = { shared, placement, requires };
  for (const [name, value] of Object.entries(found)) {
    if (value === undefined) continue;
    const kind = name === "shared" ? flag : name === "placement" ? placementKind : labelsKind;
    const what = `static ${name} of class ${agentClass.name}`;
    if (!kind.accepts(value)) throw wrongValue(`The ${what} must be ${kind.expected}`, value);
    kind.assertInside?.(value, what);
  }
  return found;
}
