import { Command } from "commander";
import { type AgentDetail, type AgentRow, nameOf } from "../../admin/internal.ts";
import { loggableText, TroupeError } from "../../core/internal.ts";
import { type AdminClient, HostGoneError } from "../admin/admin-client.ts";
import { addHostChoice, findHost, type HostChoice } from "../admin/find-host.ts";
import { sayUnanswered } from "../admin/hosts-of-rows.ts";
import { noSuchWorker } from "../admin/no-such-worker.ts";
import { type ListFlags, parseAgent, print, printList, readListOfHosts, rowCount } from "../printing.ts";
import { formatTable } from "../table.ts";

interface AgentsFlags extends ListFlags, HostChoice {
  readonly worker?: string;
  readonly deactivate: boolean;
  readonly destroy: boolean;
}

/** What an output lacks when a host does not answer. */
const agentsOfWorkers = "agents of its workers";

interface Changed {
  readonly done: "deactivate" | "destroy";
  readonly wasPlaced: boolean;
}

/** Checks a text that is a type or `type/key`. Only here can commander say what is wrong with it. */
function typeOrAgent(text: string): string {
  if (text.includes("/")) parseAgent(text);
  return text;
}

/** The command `troupe agents`: agents and their places; the end of one. */
export function agentsCommand(): Command {
  return addHostChoice(
    new Command("agents")
      .description("List agents and the workers that have them; end one")
      .argument("[agent]", "a type, or type/key for one agent", typeOrAgent)
      .option("--worker <id>", "only agents of this worker")
      .option("--deactivate", "end the activation of the agent; its next message makes another one", false)
      .option("--destroy", "end the activation of the agent, and delete its state, reminders and mail", false)
      .option("--limit <count>", "agents at most", rowCount, 1_000)
      .option("--after <place>", "go on where an earlier list ended")
      .option("--json", "print JSON", false),
  ).action(async (agent: string | undefined, flags: AgentsFlags) => {
    assertListFlags(agent, flags);
    const client = await findHost(flags);
    if (flags.deactivate || flags.destroy) return change(client, agent, flags);
    if (agent?.includes("/")) {
      const detail = await client.ask<AgentDetail>("GET", "/v1/agent", { ...parseAgent(agent) });
      print(flags, detail, textOfAgent);
      return sayUnanswered(detail, agentsOfWorkers);
    }
    // A name or an old id would look like a worker without agents.
    if (flags.worker !== undefined) await assertConnected(client, flags.worker);
    const asked = { type: agent, worker: flags.worker };
    const all = await readListOfHosts<AgentRow>(client, "/v1/agents", asked, flags);
    printList(flags, all, textOfAgents);
    sayUnanswered(all, agentsOfWorkers);
  });
}

/** Throws `invalid-argument` for flags of a list beside one agent, which would change nothing. */
function assertListFlags(agent: string | undefined, { worker, after }: AgentsFlags): void {
  if (agent === undefined || !agent.includes("/")) return;
  const flag = worker !== undefined ? "--worker" : after !== undefined ? "--after" : undefined;
  if (flag === undefined) return;
  const { type } = parseAgent(agent);
  const text = `${flag} is for lists, and ${nameOf(parseAgent(agent))} is one agent. Leave ${flag} out, or name the type alone: ${loggableText(type)}.`;
  throw new TroupeError("invalid-argument", text);
}

async function assertConnected(client: AdminClient, id: string): Promise<void> {
  try {
    await client.ask("GET", "/v1/worker", { id });
  } catch (error) {
    if (error instanceof TroupeError && error.code === "not-found") throw await noSuchWorker(client, id);
    // Its host does not answer, which the list says, too.
    if (error instanceof TroupeError && error.code === "disconnected" && !(error instanceof HostGoneError)) return;
    throw error;
  }
}

async function change(client: AdminClient, agent: string | undefined, flags: AgentsFlags): Promise<void> {
  if (agent === undefined || !agent.includes("/") || (flags.deactivate && flags.destroy)) {
    throw new TroupeError("invalid-argument", "Name one agent, type/key, with either --deactivate or --destroy.");
  }
  const how = flags.destroy ? "destroy" : "deactivate";
  const changed = await client.ask<Changed>("POST", `/v1/agent/${how}`, { ...parseAgent(agent) });
  print(flags, changed, ({ done, wasPlaced }) => {
    const name = nameOf(parseAgent(agent));
    if (done === "destroy") return `destroyed ${name}`;
    return wasPlaced ? `deactivated ${name}` : `no worker has ${name}`;
  });
}

function textOfAgents(rows: readonly AgentRow[]): string {
  if (rows.length === 0) return "no agents of shared types, and no stored states";
  const names = ["type", "key", "sharing", "worker", "epoch"];
  return formatTable(
    names,
    rows.map((row) => [row.type, row.key, row.sharing, row.workerId ?? "-", row.epoch ?? "-"]),
  );
}

function textOfAgent({ state, ...row }: AgentDetail): string {
  if (state === null) return `${textOfAgents([row])}\nnothing is stored`;
  const { revision, schemaVersion, bytes, savedAt } = state;
  return `${textOfAgents([row])}\nrevision ${revision}, version ${schemaVersion}, ${bytes} bytes, saved ${savedAt}`;
}
