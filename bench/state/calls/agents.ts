import { handlerTable, persistentAgent, RoutedAgent } from "troupe";
import { Add, Count, Look, Total } from "./messages.ts";

/** An agent that keeps its total in the process alone. */
export class PlainCounter extends RoutedAgent {
  static override readonly handlers = handlerTable<PlainCounter>()
    .rpc(Add, function ({ value }) {
      this.#total += value;
      return Total({ value: this.#total });
    })
    .rpc(Look, function () {
      return Total({ value: this.#total });
    });
  #total = 0;
}

/** An agent that keeps its total in its state. */
export class StoredCounter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<StoredCounter>()
    .rpc(Add, function ({ value }) {
      this.state.total += value;
      return Total({ value: this.state.total });
    })
    .rpc(
      Look,
      function () {
        return Total({ value: this.state.total });
      },
      { readOnly: true },
    );
}
