/**
 * The actions that rules allow or deny.
 * - `register`: serve an agent type. `call`: call or tell an agent of a type.
 * - `publish`: publish to topics of a type. `subscribe`: subscribe to a topic type, or to all with a beginning.
 * - `read-state`, `write-state`: load and save states of agents of a type.
 * - `control`: describe, deactivate and destroy agents of a type over the control channel, and ask for their state there.
 * - `see`: see agents of a type at the admin entry: their calls, reminders, dead letters and failures. `watch`: see events of a topic there. `administer`: end
 *   agents of a type there, and cancel their reminders. Who may `see` or `administer` all types (`*`) sees or changes the host itself.
 */
export type AccessAction =
  | "register"
  | "call"
  | "publish"
  | "subscribe"
  | "read-state"
  | "write-state"
  | "control"
  | "see"
  | "watch"
  | "administer";

/** The names that a rule with an action needs: agent types or topic types. */
export const actionResources: Readonly<Record<AccessAction, "types" | "topics">> = {
  register: "types",
  call: "types",
  publish: "topics",
  subscribe: "topics",
  "read-state": "types",
  "write-state": "types",
  control: "types",
  see: "types",
  watch: "topics",
  administer: "types",
};

export const accessActions = Object.keys(actionResources) as readonly AccessAction[];

/** A name, or several. A `*` at the end of a name stands for any rest. */
export type RuleNames = string | readonly string[];

/**
 * One rule. It holds for the callers that fit all of `principal`, `role` and `agent` that it names; at least one. It says either `allow` or
 * `deny`.
 */
export interface AccessRule {
  /** Names the rule in refusals and in the log. Default: `rule` and its number. */
  readonly name?: string | undefined;
  /** Names of principals. `*`: everybody. */
  readonly principal?: RuleNames | undefined;
  /** Roles; a principal with one of them fits. */
  readonly role?: RuleNames | undefined;
  /** Types of agents; a call or event that such an agent sends fits, and nothing else. */
  readonly agent?: RuleNames | undefined;
  readonly allow?: AccessAction | "*" | readonly AccessAction[] | undefined;
  readonly deny?: AccessAction | "*" | readonly AccessAction[] | undefined;
  /** Agent types, for `register`, `call`, `read-state`, `write-state`, `control`, `see` and `administer`. */
  readonly types?: RuleNames | undefined;
  /** Topic types, for `publish`, `subscribe` and `watch`. */
  readonly topics?: RuleNames | undefined;
}

/** A rule that was checked. */
export interface ReadRule {
  readonly name: string;
  /** Where the rule stands: `troupe.rules.yaml:12`. Undefined: in no file. */
  readonly place: string | undefined;
  readonly allows: boolean;
  readonly actions: readonly AccessAction[];
  /** Undefined: any. */
  readonly principals: readonly string[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly agents: readonly string[] | undefined;
  readonly types: readonly string[];
  readonly topics: readonly string[];
}
