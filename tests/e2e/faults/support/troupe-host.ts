import { NodeProgram } from "../../../support/node-program.ts";

/** `troupe host`, as a user starts it. */
export interface TroupeHost extends AsyncDisposable {
  readonly program: NodeProgram;
  readonly address: string;
}

export async function startTroupeHost(...args: readonly string[]): Promise<TroupeHost> {
  const program = new NodeProgram("src/cli/main.ts", ["host", "--address", "127.0.0.1:0", ...args]);
  try {
    const [, address = ""] = await program.output(/(127\.0\.0\.1:\d+)/);
    return { program, address, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}
