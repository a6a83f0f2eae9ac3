import { parseArgs } from "node:util";

/** Command-line options of every benchmark with rounds. */
export interface PlanOptions {
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly warmUpSeconds: number;
  readonly onRound: (text: string) => void;
  /** Only contenders and loads run whose names contain this text, or one of several with `|` between them. */
  readonly only: string;
  readonly loads: string;
}

interface PlanDefaults {
  readonly rounds?: number;
  readonly seconds?: number;
  readonly warmUpSeconds?: number;
}

/** `--rounds N --seconds S --warm-up S --only TEXT --loads TEXT`. Throws on anything else. `args`: default those of this process. */
export function readPlanOptions(
  defaults: PlanDefaults = {},
  args: readonly string[] = process.argv.slice(2),
): PlanOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string", default: String(defaults.rounds ?? 5) },
      seconds: { type: "string", default: String(defaults.seconds ?? 1) },
      "warm-up": { type: "string", default: String(defaults.warmUpSeconds ?? 1) },
      only: { type: "string", default: "" },
      loads: { type: "string", default: "" },
    },
  });
  return {
    rounds: Number(values.rounds),
    secondsPerRound: Number(values.seconds),
    warmUpSeconds: Number(values["warm-up"]),
    onRound: (text) => console.error(text),
    only: values.only,
    loads: values.loads,
  };
}
