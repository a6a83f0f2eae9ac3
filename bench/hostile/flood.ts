// The attackers' process. During the flood it takes processor time only after all others: hosts and honest workers go first.
import { setPriority } from "node:os";
import { commands, tell } from "../support/peer-commands.ts";
import { Crowd, type Site } from "./crowd.ts";
import { floods } from "./floods/all.ts";

/**
 * `prepare`: before the flood. `go`: starts it; answers when it has sent something. `pass`: answers when a connection has done all that it does.
 * `stop`: ends it and hangs up.
 */
export type FloodCommand =
  | { readonly do: "prepare"; readonly name: string; readonly site: Site }
  | { readonly do: "go" }
  | { readonly do: "pass" }
  | { readonly do: "stop" };

const lowestPriority = 19;

tell("ready");
let crowd: Crowd | undefined;
let go: (crowd: Crowd) => void = () => {};
for await (const command of commands<FloodCommand>()) {
  switch (command.do) {
    case "prepare": {
      const flood = floods[command.name];
      if (flood === undefined) throw new Error(`no flood is named ${command.name}`);
      crowd = new Crowd(command.site);
      await flood.prepare?.(crowd);
      ({ go } = flood);
      tell("prepared");
      break;
    }
    case "go":
      setPriority(lowestPriority);
      if (crowd !== undefined) go(crowd);
      await crowd?.begun;
      tell("going");
      break;
    case "pass":
      await crowd?.passed;
      tell("passed");
      break;
    case "stop":
      tell("stopped", crowd?.stop());
      break;
  }
}
process.exit(0);
