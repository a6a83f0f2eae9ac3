import type { Contender, Round } from "./contender.ts";

export interface RoundsPlan<Load> {
  readonly loads: readonly Load[];
  readonly loadText: (load: Load) => string;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly warmUpSeconds: number;
  /** Called before each round, with a text for people. */
  readonly onRound?: (text: string) => void;
}

/** All rounds of one contender under one load. */
export interface Series {
  readonly contender: string;
  readonly load: string;
  readonly rounds: readonly Round[];
}

/**
 * Measures all contenders in turn, again and again (A B C A B C …), so that whatever else happens on the machine hits
 * them alike. All are started first and warmed up with every load; those that wait use no processor.
 */
export async function measureInterleaved<Load>(
  contenders: readonly Contender<Load>[],
  plan: RoundsPlan<Load>,
): Promise<Series[]> {
  const lanes = plan.loads.flatMap((load) =>
    contenders
      .filter((contender) => contender.carries?.(load) !== false)
      .map((contender) => ({ contender, load, rounds: [] as Round[] })),
  );
  try {
    for (const contender of contenders) await contender.start(plan.loads);
    for (const { contender, load } of plan.warmUpSeconds === 0 ? [] : lanes) {
      plan.onRound?.(`warming up ${contender.name}, ${plan.loadText(load)}`);
      await contender.measure(load, plan.warmUpSeconds);
    }
    for (let round = 1; round <= plan.rounds; round++) {
      plan.onRound?.(`round ${round} of ${plan.rounds}`);
      for (const { contender, load, rounds } of lanes) rounds.push(await contender.measure(load, plan.secondsPerRound));
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()));
  }
  return lanes.map(({ contender, load, rounds }) => ({
    contender: contender.name,
    load: plan.loadText(load),
    rounds,
  }));
}
