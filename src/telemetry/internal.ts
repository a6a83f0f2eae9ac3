// What other rooms and tests use of this room. index.ts holds what users use.
export { consoleLogger, type LogLevel } from "./console-logger.ts";
