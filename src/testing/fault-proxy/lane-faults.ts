import type { LastingFault } from "./fault.ts";

/** The faults that last on a lane. Several of a kind may overlap: the newest counts, and each ends for itself. */
export class LaneFaults {
  #active: LastingFault[] = [];

  begin(fault: LastingFault): void {
    this.#active.push(fault);
  }

  /** Ends one of them, or all; one that has ended already is passed over. */
  end(fault?: LastingFault): void {
    this.#active = fault === undefined ? [] : this.#active.filter((active) => active !== fault);
  }

  newest<Kind extends LastingFault["kind"]>(kind: Kind): Extract<LastingFault, { kind: Kind }> | undefined {
    const isOfKind = (fault: LastingFault): fault is Extract<LastingFault, { kind: Kind }> => fault.kind === kind;
    return this.#active.findLast(isOfKind);
  }
}
