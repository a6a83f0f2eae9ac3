import type { AgentId } from "../../../src/core/index.ts";
import { method } from "../../../src/protocol/index.ts";
import {
  decodeGetStateAnswer,
  decodeSaveStateAnswer,
  encodeAgentId,
  encodeStoredState,
} from "../../../src/protocol/internal.ts";
import type { Simulation } from "../../../src/testing/index.ts";
import type { Dialer } from "../../../src/transport/index.ts";
import type { Ledger } from "../ledger.ts";
import { listOf } from "./kept-ledger.ts";

export interface StockSave {
  readonly dialer: Dialer;
  readonly address: string;
  readonly id: AgentId;
  readonly ledger: Ledger;
  readonly simulation: Simulation;
}

/** Reads a state as a client of AutoGen's would, and saves it with one more line if nobody has written meanwhile. */
export async function stockSave({ dialer, address, id, ledger, simulation }: StockSave): Promise<void> {
  const link = dialer.dial(address);
  const signal = timeLimit(simulation, 5_000);
  try {
    const agentId = { type: id.type, key: id.key };
    const { state } = decodeGetStateAnswer(await link.unary(method.getState, encodeAgentId(agentId), { signal }));
    if (state?.data?.kind !== "text") return;
    const line = `s${ledger.kept.stockSaves.length}@stock`;
    const list = [...listOf(new TextEncoder().encode(state.data.text)), line];
    const save = { agent: id.toString(), line, isSaved: false };
    ledger.kept.stockSaves.push(save);
    const data = { kind: "text", text: JSON.stringify({ list }) } as const;
    const bytes = await link.unary(method.saveState, encodeStoredState({ agentId, eTag: state.eTag, data }), {
      signal,
    });
    save.isSaved = decodeSaveStateAnswer(bytes).success;
  } finally {
    await link.close();
  }
}

function timeLimit(simulation: Simulation, ms: number): AbortSignal {
  const controller = new AbortController();
  simulation.clock.setTimer(ms, () => controller.abort(new Error("It takes too long.")));
  return controller.signal;
}
