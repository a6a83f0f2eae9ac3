import type { Logger } from "../../src/core/index.ts";

const nothing = () => undefined;

/** What broken worlds log is of no interest. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
