/** Why the agents of some types did not get an event, and which worker has them. */
interface Outcome {
  readonly heldBy?: string | undefined;
  readonly reason: string;
}

interface Bounced extends Outcome {
  readonly types: readonly string[];
}

/** Types in one frame: another host reads some 10,000 fields of it. */
const mostTypes = 5_000;

/** The types of an event's agents that go back to the host of its publisher. Those with one outcome go back in one frame: the event may be long. */
export class BouncedTypes implements Iterable<Bounced> {
  readonly #byOutcome = new Map<string, Outcome & { readonly types: string[] }>();

  add(type: string, { heldBy, reason }: Outcome): void {
    const outcome = `${heldBy ?? ""} ${reason}`;
    const known = this.#byOutcome.get(outcome);
    if (known === undefined) this.#byOutcome.set(outcome, { heldBy, reason, types: [type] });
    else known.types.push(type);
  }

  *[Symbol.iterator](): Iterator<Bounced> {
    for (const { types, ...outcome } of this.#byOutcome.values()) {
      for (let at = 0; at < types.length; at += mostTypes) yield { ...outcome, types: types.slice(at, at + mostTypes) };
    }
  }
}
