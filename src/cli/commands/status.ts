import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { coloursOf } from "../colours.ts";
import { type PrintFlags, print } from "../printing.ts";
import { progressOn } from "../progress.ts";
import { askHost, reportOf } from "../status/host-report.ts";
import { textOfReport } from "../status/status-text.ts";
import { warningsOf } from "../status/warnings.ts";
import { wholeNumber } from "../whole-number.ts";

interface StatusFlags extends PrintFlags, HostChoice {
  readonly sampleMs: number;
}

/** The command `troupe status`. */
export function statusCommand(version: string): Command {
  return addHostChoice(
    new Command("status")
      .description("Show what a host does: state, workers, rates, queues, and what is wrong with what to do")
      .option("--sample-ms <ms>", "time over which rates are measured", wholeNumber(100, 60_000), 1_000)
      .option("--json", "print JSON", false),
  ).action(async (flags: StatusFlags) => {
    const client = await findHost(flags);
    const progress = progressOn();
    progress.say("measuring…");
    const found = await askHost(client, (ms) => delay(ms), flags.sampleMs).finally(() => progress.done());
    const report = reportOf(found, warningsOf(found, version));
    print(flags, report, (value) => textOfReport(value, coloursOf()));
  });
}
