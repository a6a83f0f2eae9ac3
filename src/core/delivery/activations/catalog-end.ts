import type { ActivationEnds } from "./activations.ts";

/** The end of a catalog in two steps. */
export interface CatalogEnd {
  /** Resolves when every live agent has had its last word (`onDeactivate`) and that is saved. Never rejects. Undefined: they had. */
  readonly lastWords: Promise<unknown> | undefined;
  /** Closes the agents. Call it when nothing that they need is left to wait for. */
  close(): Promise<void>;
}

/** Ends activations in two steps. `begin` is called at once, with a promise that resolves when the agents may be closed. */
export function endInSteps(begin: (mayClose: Promise<void>) => ActivationEnds): CatalogEnd {
  let letClose!: () => void;
  const ends = begin(
    new Promise<void>((resolve) => {
      letClose = resolve;
    }),
  );
  const end = allClosed(ends);
  // Its error is for the one who calls `close`.
  end.catch(() => undefined);
  return {
    lastWords: ends.said.length === 0 ? undefined : Promise.all(ends.said),
    close: () => {
      letClose();
      return end;
    },
  };
}

/** Resolves when all are closed. Rejects then with the error of the one that failed, or with an `AggregateError` of several. */
export async function allClosed({ ended }: ActivationEnds): Promise<void> {
  const ends = await Promise.allSettled(ended);
  const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} agents failed to close.`);
}
