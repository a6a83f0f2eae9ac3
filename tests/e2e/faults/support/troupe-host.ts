import { NodeProgram } from "../../../support/node-program.ts";

/** `troupe host`, as a user starts it. */
export interface TroupeHost extends AsyncDisposable {
  readonly program: NodeProgram;
  readonly address: string;
}

/** Without `--state` among the arguments it keeps no states, so that no files stay behind. */
export async function startTroupeHost(...args: readonly string[]): Promise<TroupeHost> {
  const state = args.includes("--state") ? [] : ["--state", "memory:"];
  const program = new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", ...state, ...args]);
  try {
    const [, address = ""] = await program.output(/(127\.0\.0\.1:\d+)/);
    return { program, address, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}
