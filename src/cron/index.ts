/**
 * Cron patterns for reminders: `remindMe("report", { cron: "0 9 * * 1-5", timeZone: "Europe/Lisbon" }, Report({}))`. Needs the package
 * `croner`.
 *
 * @example
 * ```ts
 * import { SingleThreadedAgentRuntime } from "troupe";
 * import { cronPatterns } from "troupe/cron";
 *
 * const runtime = new SingleThreadedAgentRuntime({ cron: cronPatterns });
 * ```
 *
 * @packageDocumentation
 */

export { cronPatterns } from "./cron-patterns.ts";
