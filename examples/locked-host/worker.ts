// The worker of the vault: worker.ts <address of the host> <file of the authority> <file with its token>.
import process from "node:process";
import { type MessageContext, type MessageOf, RoutedAgent, rpc } from "troupe";
import { workerAt } from "./connect.ts";
import { Open, Opened } from "./messages.ts";

/** Keeps in memory how often it was opened, and learns from the host who opens it. */
class Vault extends RoutedAgent {
  static override readonly tellsPrincipal = true;
  #times = 0;

  @rpc(Open)
  open(_message: MessageOf<typeof Open>, { principal }: MessageContext) {
    this.#times += 1;
    return Opened({ by: principal ?? "an unknown caller", times: this.#times });
  }
}

const [address = "", caFile = "", tokenFile = ""] = process.argv.slice(2);
const worker = workerAt(address, "vault", { caFile, tokenFile });
await worker.start();
await Vault.register(worker, "vault", () => new Vault("counts who opens it"));
const stopped = worker.stopWhenSignal();
console.log("ready");
await stopped;
