/** A bug that is planted into the source of the search for rings over hosts. */
export interface PlantedRingBug {
  readonly name: string;
  readonly room: "host/calls";
  /** In `src/host/calls`. */
  readonly file: string;
  /** Text that the file has once, and what stands in its place. */
  readonly from: string;
  readonly to: string;
  /** The checker that must complain. */
  readonly caughtBy: "false" | "hangs";
}

const room = "host/calls";

// protocol.md §12.10
/** Each takes one rule out. Those that random worlds seldom meet have tests in tests/integration/host/peers/rings.test.ts. */
export const plantedRingBugs: readonly PlantedRingBug[] = [
  {
    ...{ name: "a ring is answered though its calls may be over", room, file: "rings/ring-check.ts" },
    from: "version > 0 && version === before[start + index] && isPending(part.to.id) && isAwaited(part, isPending);",
    to: "version > 0;",
    caughtBy: "false",
  },
  {
    ...{ name: "the hosts of callers are not asked", room, file: "rings/ring-check.ts" },
    from: `return caller !== undefined && (caller === "" || pending.has(caller));`,
    to: "return caller !== undefined;",
    caughtBy: "false",
  },
  {
    ...{ name: "a call whose ring was not true is not searched again", room, file: "rings/ring-search.ts" },
    from: "this.#aside.add(call);",
    to: "",
    caughtBy: "hangs",
  },
];
