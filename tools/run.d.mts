export interface RunOptions {
  readonly cwd?: string;
  readonly quiet?: boolean;
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end. `timeoutMs` ends it and all that it has started, and counts as failure. */
export function run(
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<{ readonly code: number; readonly output: string }>;
